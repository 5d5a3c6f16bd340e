#include "hw_model/driver/image_stream.h"

#include <algorithm>
#include <array>
#include <cerrno>
#include <chrono>
#include <csignal>
#include <cstring>
#include <exception>
#include <map>
#include <optional>
#include <poll.h>
#include <stdexcept>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <system_error>
#include <unistd.h>
#include <vector>

#include <fmt/format.h>

#include "hw_model/driver/machine_error.h"
#include "hw_model/driver/messages.h"

namespace lpa::driver {
namespace {

constexpr std::chrono::milliseconds progress_interval{100};
constexpr int poll_ms = 50;  ///< How soon a cancel flag is seen.

[[noreturn]] void fail(const std::string& action) {
  throw std::runtime_error(fmt::format("cannot {}: {}", action, std::generic_category().message(errno)));
}

/// What a run is, for parent and child.
struct Work {
  const hw::MachineConfig& config;
  const workloads::LayerGraph& graph;
  const lpq::QuantizedModel& model;
  const Program& program;
  const ImageInputs& inputs;
  const RunOptions& options;
};

void send(int pipe, const Message& message) {
  const std::string text = frame(message);
  std::string_view rest = text;
  while (!rest.empty()) {
    const ssize_t written = ::write(pipe, rest.data(), rest.size());
    if (written < 0 && errno == EINTR) continue;
    if (written < 0) _exit(1);  // The parent is gone.
    rest.remove_prefix(static_cast<std::size_t>(written));
  }
}

/// The child's part: one image, whose messages go to the pipe.
void run_image(const Work& work, std::size_t image, int pipe) {
  ImageResult kept;
  RunOptions options = work.options;
  options.cancel = nullptr;
  options.finished = [&](std::size_t, const ImageResult& result) {
    if (work.options.finished) work.options.finished(image, result);
    kept = result;
    if (work.options.finished) kept.maps.clear();
  };
  auto last = std::chrono::steady_clock::now();
  options.progress = [&](int, int layer) {
    const auto now = std::chrono::steady_clock::now();
    if (now - last < progress_interval) return;
    last = now;
    send(pipe, {MessageKind::progress, encode(static_cast<std::uint64_t>(layer))});
  };
  Message message;
  try {
    run_program(work.config, work.graph, work.model, work.program, {work.inputs.image(image)}, options);
    message = {MessageKind::result, encode(kept)};
  } catch (const MachineError& error) {
    message = {MessageKind::machine_error, error.what()};
  } catch (const std::bad_alloc&) {
    message = {MessageKind::other_error, "out of memory"};
  } catch (const std::exception& error) {
    message = {MessageKind::other_error, error.what()};
  } catch (...) {
    message = {MessageKind::other_error, "unknown error"};
  }
  send(pipe, message);
}

/// A child process that runs one image. It is killed, if it still runs, and reaped with the object.
class Child {
 public:
  Child(const Work& work, std::size_t image) : image_(image) {
    std::array<int, 2> ends{};
    if (::pipe(ends.data()) != 0) fail("open a pipe");
    const pid_t parent = ::getpid();
    process_ = ::fork();
    if (process_ < 0) {
      ::close(ends[0]);
      ::close(ends[1]);
      fail("start a process");
    }
    if (process_ == 0) {
      // The parent decides when to end; but nobody outlives it.
      std::signal(SIGINT, SIG_IGN);
      std::signal(SIGTERM, SIG_IGN);
      std::signal(SIGPIPE, SIG_IGN);
      ::prctl(PR_SET_PDEATHSIG, SIGKILL);
      if (::getppid() != parent) _exit(1);
      ::close(ends[0]);
      run_image(work, image, ends[1]);
      _exit(0);
    }
    ::close(ends[1]);
    pipe_ = ends[0];
  }
  ~Child() {
    ::close(pipe_);
    if (process_ <= 0) return;
    ::kill(process_, SIGKILL);
    reap();
  }
  Child(const Child&) = delete;
  Child& operator=(const Child&) = delete;

  std::size_t image() const { return image_; }
  int pipe() const { return pipe_; }
  MessageReader& messages() { return messages_; }

  /// Reads what has arrived. False: the child has closed its end.
  bool read() {
    std::array<char, 65536> buffer;
    const ssize_t size = ::read(pipe_, buffer.data(), buffer.size());
    if (size < 0 && errno == EINTR) return true;
    if (size < 0) fail("read from a process");
    messages_.append({buffer.data(), static_cast<std::size_t>(size)});
    return size > 0;
  }

  /// How a child ended that closed its end without its last message.
  std::string death() {
    const int status = reap();
    if (WIFSIGNALED(status)) {
      return fmt::format("image {}: its process died: {}", image_, strsignal(WTERMSIG(status)));
    }
    return fmt::format("image {}: its process ended with code {}", image_, WEXITSTATUS(status));
  }

 private:
  int reap() {
    int status = 0;
    while (::waitpid(process_, &status, 0) < 0 && errno == EINTR) {
    }
    process_ = 0;
    return status;
  }

  std::size_t image_;
  pid_t process_ = 0;
  int pipe_ = -1;
  MessageReader messages_;
};

/// The parent's part.
class Stream {
 public:
  Stream(const Work& work, int threads)
      : work_(work), threads_(static_cast<std::size_t>(threads)), result_(work.graph, work.model, work.inputs.count) {}

  RunResult run() {
    while (true) {
      if (work_.options.cancel != nullptr && work_.options.cancel->load()) {
        result_.cancelled = true;
        while (wait(0)) {  // What is finished counts.
        }
        return std::move(result_);
      }
      while (children_.size() < threads_ && next_ < work_.inputs.count) {
        children_.push_back(std::make_unique<Child>(work_, next_++));
      }
      if (children_.empty()) return std::move(result_);
      wait(poll_ms);
    }
  }

 private:
  /// Serves the children that have something to say; false if none had within the time.
  bool wait(int milliseconds) {
    std::vector<pollfd> pipes;
    for (const auto& child : children_) pipes.push_back({.fd = child->pipe(), .events = POLLIN, .revents = 0});
    const int ready = ::poll(pipes.data(), pipes.size(), milliseconds);
    if (ready < 0 && errno != EINTR) fail("wait for a process");
    if (ready <= 0) return false;
    for (std::size_t i = 0; i < pipes.size(); ++i) {
      if (pipes[i].revents != 0 && !serve(*children_[i])) children_[i].reset();
    }
    std::erase(children_, nullptr);
    return true;
  }

  /// False: the child is done.
  bool serve(Child& child) {
    const bool open = child.read();
    for (Message message; child.messages().next(message);) {
      switch (message.kind) {
        case MessageKind::progress:
          show(child.image(), static_cast<int>(decode_number(message.body)));
          break;
        case MessageKind::result:
          result_.add(work_.graph, child.image(), decode_result(message.body));
          show(child.image(), static_cast<int>(work_.graph.layers.size()) - 1);
          return false;
        case MessageKind::machine_error:
          throw MachineError(message.body);
        case MessageKind::other_error:
          throw std::runtime_error(message.body);
      }
    }
    if (!open) throw std::runtime_error(child.death());
    return true;
  }

  void show(std::size_t image, int layer) {
    if (work_.options.progress) work_.options.progress(static_cast<int>(image), layer);
  }

  const Work& work_;
  std::size_t threads_;
  std::size_t next_ = 0;
  std::vector<std::unique_ptr<Child>> children_;
  RunResult result_;
};

}  // namespace

RunResult run_images(const hw::MachineConfig& config, const workloads::LayerGraph& graph,
                     const lpq::QuantizedModel& model, const ImageInputs& inputs, const RunOptions& options,
                     int threads) {
  config.validate();
  const Program program = compile(config, graph, model, options.program_data());
  if (options.timeline != nullptr || !options.waveform.file.empty()) {
    std::vector<lpq::WordMap> maps;
    for (std::size_t image = 0; image < inputs.count; ++image) maps.push_back(inputs.image(image));
    return run_program(config, graph, model, program, maps, options);
  }
  const Work work{config, graph, model, program, inputs, options};
  return Stream(work, std::max(threads, 1)).run();
}

}  // namespace lpa::driver
