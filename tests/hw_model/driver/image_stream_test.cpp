#include "hw_model/driver/image_stream.h"

#include <atomic>
#include <cerrno>
#include <csignal>
#include <random>
#include <stdexcept>
#include <sys/mman.h>
#include <sys/wait.h>
#include <thread>
#include <unistd.h>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "hw_model/driver/machine_error.h"
#include "hw_model/timeline.h"
#include "tests/quant/lpq/random_model.h"

namespace lpa::driver {
namespace {

/// Numbers that children share with the test.
struct Shared {
  std::atomic<int> calls{0};
  std::atomic<pid_t> child{0};
};

class ImageStream : public ::testing::Test {
 protected:
  void SetUp() override {
    void* memory = mmap(nullptr, sizeof(Shared), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    ASSERT_NE(memory, MAP_FAILED);
    shared = new (memory) Shared;
    for (std::uint64_t seed = 1; seed < 100; ++seed) {
      model = lpq::testing::make_random_model(seed, false);
      try {
        compile(config, model.graph, model.model);
        const lpq::SoftwareMachine software(model.graph, model.model, config.arithmetic);
        const ImageInputs images = inputs(2);
        if (software.run_to_end(images.image(0)) != software.run_to_end(images.image(1))) return;
      } catch (const MachineError&) {
        continue;
      }
    }
    FAIL() << "no model fits and tells images apart";
  }
  void TearDown() override { munmap(shared, sizeof(Shared)); }

  /// As many images, all different.
  ImageInputs inputs(std::size_t count) const {
    return {count, [this](std::size_t image) {
              lpq::WordMap map = model.input;
              for (std::size_t i = 0; i < map.words.size(); ++i) {
                if (i % (image + 2) == 0) map.words[i] = 0;
              }
              return map;
            }};
  }
  RunResult run(std::size_t count, const RunOptions& options, int threads) const {
    return run_images(config, model.graph, model.model, inputs(count), options, threads);
  }
  /// The message of the error that a run of six images ends with.
  template <class Exception>
  std::string error(const RunOptions& options, int threads) const {
    try {
      run(6, options, threads);
    } catch (const Exception& thrown) {
      return thrown.what();
    }
    return "no error";
  }
  static bool has_children() { return waitpid(-1, nullptr, WNOHANG) >= 0 || errno != ECHILD; }

  hw::MachineConfig config;
  lpq::testing::RandomModel model;
  Shared* shared = nullptr;
};

void expect_equal(const RunResult& a, const RunResult& b) {
  EXPECT_EQ(a.images, b.images);
  EXPECT_EQ(a.labels, b.labels);
  EXPECT_EQ(a.outputs, b.outputs);
  EXPECT_EQ(a.maps, b.maps);
  EXPECT_EQ(a.total, b.total);
  EXPECT_EQ(a.cancelled, b.cancelled);
  ASSERT_EQ(a.layers.size(), b.layers.size());
  for (std::size_t i = 0; i < a.layers.size(); ++i) {
    EXPECT_EQ(a.layers[i].name, b.layers[i].name);
    EXPECT_EQ(a.layers[i].m, b.layers[i].m);
    EXPECT_EQ(a.layers[i].counters, b.layers[i].counters) << a.layers[i].name;
  }
}

TEST_F(ImageStream, GivesTheSameWithAnyNumberOfThreads) {
  for (const ModelKind kind : {ModelKind::fast, ModelKind::pin}) {
    RunOptions options;
    options.model = kind;
    options.keep_maps = true;
    const RunResult one = run(7, options, 1);
    EXPECT_EQ(one.images, 7u);
    ASSERT_EQ(one.maps.size(), 7u);
    EXPECT_NE(one.outputs[0], one.outputs[1]) << "the images differ";
    for (const int threads : {2, 3, 16}) {
      SCOPED_TRACE(threads);
      expect_equal(run(7, options, threads), one);
    }
  }
}

TEST_F(ImageStream, GivesWhatOneMachineGives) {
  RunOptions options;
  options.keep_maps = true;
  const RunResult stream = run(4, options, 2);
  std::vector<lpq::WordMap> maps;
  for (std::size_t image = 0; image < 4; ++image) maps.push_back(inputs(4).image(image));
  expect_equal(stream, run_network(config, model.graph, model.model, maps, options));
}

TEST_F(ImageStream, RecordsInThisProcess) {
  class Count : public hw::Timeline {
   public:
    void add(const hw::Slice&) override { ++slices; }
    int slices = 0;
  } timeline;
  const RunResult apart = run(2, {}, 2);
  RunOptions options;
  options.timeline = &timeline;
  options.finished = [&](std::size_t, const ImageResult&) { ++shared->calls; };
  expect_equal(run(2, options, 2), apart);
  EXPECT_GT(timeline.slices, 0);
  EXPECT_EQ(shared->calls, 2);
}

TEST_F(ImageStream, ShowsEveryImageToTheChildsInspector) {
  RunOptions options;
  options.keep_maps = true;
  options.finished = [&](std::size_t image, const ImageResult& result) {
    if (result.maps.size() != model.graph.layers.size()) throw std::runtime_error("maps are missing");
    shared->calls += 1 << (4 * image);
  };
  const RunResult result = run(6, options, 2);
  EXPECT_EQ(shared->calls, 0x111111);
  EXPECT_EQ(result.maps.size(), 0u) << "the inspector had them";
}

TEST_F(ImageStream, HandsOnWhatTheInspectorThrows) {
  RunOptions options;
  options.finished = [](std::size_t image, const ImageResult&) {
    if (image == 3) throw MachineError("words differ");
  };
  EXPECT_EQ(error<MachineError>(options, 2), "words differ");
  options.finished = [](std::size_t image, const ImageResult&) {
    if (image == 3) throw std::invalid_argument("something else");
  };
  EXPECT_EQ(error<std::runtime_error>(options, 2), "something else");
  EXPECT_FALSE(has_children());
}

TEST_F(ImageStream, TellsHowAChildDied) {
  RunOptions options;
  options.finished = [](std::size_t image, const ImageResult&) {
    if (image == 1) raise(SIGKILL);
  };
  EXPECT_EQ(error<std::runtime_error>(options, 2), "image 1: its process died: Killed");
  options.finished = [](std::size_t image, const ImageResult&) {
    if (image == 1) _exit(7);
  };
  EXPECT_EQ(error<std::runtime_error>(options, 1), "image 1: its process ended with code 7");
  EXPECT_FALSE(has_children());
}

TEST_F(ImageStream, KeepsFinishedImagesWhenCancelled) {
  constexpr int count = 50;
  std::atomic<bool> cancel{false};
  RunOptions options;
  options.cancel = &cancel;
  const int last = static_cast<int>(model.graph.layers.size()) - 1;
  int finished = 0;
  options.progress = [&](int, int layer) {
    if (layer == last && ++finished == 3) cancel = true;
  };
  const RunResult part = run(count, options, 2);
  EXPECT_TRUE(part.cancelled);
  EXPECT_FALSE(has_children());
  EXPECT_GE(part.images, 1u);
  ASSERT_LT(part.images, static_cast<std::size_t>(count));
  const RunResult whole = run(count, {}, 2);
  std::size_t labelled = 0;
  for (std::size_t image = 0; image < count; ++image) {
    if (part.labels[image] < 0) continue;
    ++labelled;
    EXPECT_EQ(part.labels[image], whole.labels[image]);
    EXPECT_EQ(part.outputs[image], whole.outputs[image]);
  }
  EXPECT_EQ(labelled, part.images);
  // All images take the same cycles: the machine's time does not depend on values.
  EXPECT_EQ(part.total.cycles * count, whole.total.cycles * part.images);
  EXPECT_EQ(part.layers[0].m * count, whole.layers[0].m * part.images);
}

TEST_F(ImageStream, IsCancelledWhileAnImageRuns) {
  std::atomic<bool> cancel{false};
  RunOptions options;
  options.cancel = &cancel;
  options.finished = [&](std::size_t, const ImageResult&) {
    shared->calls = 1;
    sleep(1000);
  };
  std::thread signal([&] {
    while (shared->calls == 0) usleep(1000);
    cancel = true;
  });
  const auto begin = std::chrono::steady_clock::now();
  const RunResult result = run(3, options, 2);
  signal.join();
  EXPECT_LT(std::chrono::steady_clock::now() - begin, std::chrono::seconds(30));
  EXPECT_TRUE(result.cancelled);
  EXPECT_EQ(result.images, 0u);
  EXPECT_FALSE(has_children());
}

TEST_F(ImageStream, ChildrenDoNotOutliveTheirParent) {
  const pid_t parent = fork();
  ASSERT_GE(parent, 0);
  if (parent == 0) {
    RunOptions options;
    options.finished = [&](std::size_t, const ImageResult&) {
      shared->child = getpid();
      sleep(1000);
    };
    run(1, options, 1);
    _exit(0);
  }
  for (int i = 0; i < 10'000 && shared->child == 0; ++i) usleep(1000);
  const pid_t child = shared->child;
  ASSERT_GT(child, 0);
  EXPECT_EQ(kill(child, 0), 0);
  kill(parent, SIGKILL);
  waitpid(parent, nullptr, 0);
  // Gone, or at most waiting to be reaped by whoever inherited it.
  const std::string stat = "/proc/" + std::to_string(child) + "/stat";
  const auto alive = [&] {
    std::FILE* file = std::fopen(stat.c_str(), "r");
    if (file == nullptr) return false;
    char state = '?';
    const int read = std::fscanf(file, "%*d %*s %c", &state);
    std::fclose(file);
    return read == 1 && state != 'Z' && state != 'X';
  };
  for (int i = 0; i < 10'000 && alive(); ++i) usleep(1000);
  EXPECT_FALSE(alive());
}

}  // namespace
}  // namespace lpa::driver
