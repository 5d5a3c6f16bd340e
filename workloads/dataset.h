// A labelled set of images: a folder with images.npy (uint8, N x H x W x C), labels.npy (uint8, N) and dataset.json.
#pragma once

#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

#include "workloads/tensor.h"

namespace lpa::workloads {

struct Dataset {
  std::string name, origin, split;
  std::vector<std::string> classes;
  std::vector<float> mean, std;  ///< Per channel, of pixels scaled to 0..1.
  int count = 0, height = 0, width = 0, channels = 0;
  std::vector<std::uint8_t> pixels;  ///< NHWC
  std::vector<std::uint8_t> labels;

  /// Image i as the network's input: (pixel/255 - mean) / std, 1 x C x H x W. Requires 0 <= i < count.
  Tensor image(int i) const;
};

/// Reads the folder. `limit` > 0 keeps the first `limit` images and is an error if there are fewer. Throws InputError.
Dataset read_dataset(const std::filesystem::path& folder, int limit = 0);

/// Throws InputError unless the images have the network input's shape 1 x C x H x W.
void check_shapes(const Dataset& dataset, const Shape& network_input, const std::string& network_file);

}  // namespace lpa::workloads
