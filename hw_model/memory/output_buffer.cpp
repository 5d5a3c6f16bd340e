#include "hw_model/memory/output_buffer.h"

#include "hw_model/control/tile_slice.h"

namespace lpa::hw {

OutputBuffer::OutputBuffer(const sc_core::sc_module_name& name, const MachineConfig& config)
    : sc_module(name),
      psums("psums", static_cast<unsigned>(config.array.columns)),
      words("words", static_cast<unsigned>(config.array.columns)),
      config_(config),
      store_(config.output_buffer),
      columns_(static_cast<std::size_t>(config.array.columns)) {
  SC_HAS_PROCESS(OutputBuffer);
  SC_METHOD(step);
  sensitive << clk.pos();
  dont_initialize();
}

void OutputBuffer::step() {
  ++cycle_;
  if (reset.read()) {
    sums_returned_ = words_ready_ = 0;
  } else if (job.read().number != job_number_) {
    start(job.read());
  } else {
    if (tag.read().valid) store_sums();
    if (word_tag.read().valid) store_words();
  }
  sums_returned.write(sums_returned_);
  words_ready.write(words_ready_);
}

void OutputBuffer::start(const Job& new_job) {
  job_number_ = new_job.number;
  sums_returned_ = words_ready_ = 0;
  if (new_job.schedule == nullptr || !new_job.schedule->descriptor().uses_array()) return;
  const Tiling& tiling = new_job.schedule->tiling();
  pack_ = tiling.pack;
  lanes_ = tiling.lanes;
  psum_vector_bytes_ = lanes_ * config_.psum_bytes(static_cast<int>(tiling.d.weight.bits));
  const auto positions = static_cast<std::size_t>(tiling.positions(0));
  for (auto& half : sums_) half.resize(std::max(half.size(), tiling.k_tiles > 1 ? positions * columns_ : 0));
  store_.start(tiling);
  visit_.emplace(*new_job.schedule);
  visit_words_ = 0;
}

void OutputBuffer::store_sums() {
  ++sums_returned_;
  if (tag.read().last_k) return;  // They go through the encoder.
  const std::uint32_t index = tag.read().index;
  PsumWord* to = &sums_[index >> 31][(index & 0x7fffffff) * columns_];
  for (std::size_t column = 0; column < columns_; ++column) to[column] = psums[column].read();
  store_.count_write(psum_vector_bytes_);
}

void OutputBuffer::store_words() {
  ++words_ready_;
  if (timeline_ != nullptr) report_word();
  const std::uint32_t index = word_tag.read().index;
  std::uint8_t* to = store_.words(index >> 31, index & 0x7fffffff);
  for (std::size_t column = 0; column < columns_; ++column) {
    for (std::size_t lane = 0; lane < static_cast<std::size_t>(pack_); ++lane) *to++ = words[column].read().lane[lane];
  }
  store_.count_write(lanes_);
}

void OutputBuffer::report_word() {
  if (visit_words_++ == 0) visit_begin_ = cycle_;
  if (visit_words_ < visit_->positions()) return;
  timeline_->add(visit_slice(Track::encoder, *visit_, visit_begin_, cycle_ + 1));
  visit_->next();
  visit_words_ = 0;
}

}  // namespace lpa::hw
