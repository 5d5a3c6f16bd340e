// The wires between the array's registers, and how modules read and drive the pins that are bound to them.
#pragma once

#include <algorithm>
#include <cstddef>
#include <memory>
#include <type_traits>
#include <vector>

#include <systemc>

namespace lpa::hw {

template <class T>
class Drive;

/// Wires that one update serves, however many were written. What is written in an evaluation phase stands on its wire
/// after the update phase, the last of several writes. As with sc_buffer, every write is an event. Any number of
/// writers.
template <class T>
class WireBank : public sc_core::sc_prim_channel {
  static_assert(std::is_trivially_copyable_v<T>);

 public:
  class Wire final : public sc_core::sc_signal_inout_if<T> {
   public:
    /// Always the same object: what it refers to changes in update phases.
    const T& read() const override { return *now_; }
    const T& get_data_ref() const override { return *now_; }

    void write(const T& value) override {
      *next_ = value;
      written();
    }
    sc_core::sc_writer_policy get_writer_policy() const override { return sc_core::SC_UNCHECKED_WRITERS; }

    /// The event is made when it is first asked for: hardly any wire needs one.
    const sc_core::sc_event& value_changed_event() const override {
      if (event_ == nullptr) event_ = std::make_unique<sc_core::sc_event>();
      return *event_;
    }
    const sc_core::sc_event& default_event() const override { return value_changed_event(); }
    /// For wires whose event someone has asked for.
    bool event() const override { return event_ != nullptr && event_->triggered(); }

   private:
    friend class WireBank;
    friend class Drive<T>;
    void written() {
      bank_->request();
      if (event_ != nullptr) event_->notify(sc_core::SC_ZERO_TIME);
    }

    const T* now_ = nullptr;
    T* next_ = nullptr;
    WireBank* bank_ = nullptr;
    mutable std::unique_ptr<sc_core::sc_event> event_;
  };

  WireBank(const char* name, std::size_t size)
      : sc_core::sc_prim_channel(name), now_(size), next_(size), wires_(std::make_unique<Wire[]>(size)) {
    for (std::size_t i = 0; i < size; ++i) {
      wires_[i].now_ = &now_[i];
      wires_[i].next_ = &next_[i];
      wires_[i].bank_ = this;
    }
  }

  Wire& operator[](std::size_t index) { return wires_[index]; }
  /// The values that stand on the wires.
  const std::vector<T>& values() const { return now_; }

 private:
  void request() {
    if (requested_) return;
    requested_ = true;
    request_update();
  }
  void update() override {
    std::copy(next_.begin(), next_.end(), now_.begin());
    requested_ = false;
  }

  std::vector<T> now_, next_;
  std::unique_ptr<Wire[]> wires_;
  bool requested_ = false;
};

/// Reads an input pin without a virtual call. Every channel here (WireBank, sc_signal) keeps its value in one place.
template <class T>
class Tap {
 public:
  /// At the end of elaboration, when the pin is bound.
  void attach(const sc_core::sc_in<T>& pin) { value_ = &pin->read(); }
  const T& operator*() const { return *value_; }
  const T* operator->() const { return value_; }

 private:
  const T* value_ = nullptr;
};

/// Drives an output pin; without a virtual call if a wire is bound to it.
template <class T>
class Drive {
 public:
  /// At the end of elaboration, when the pin is bound.
  void attach(sc_core::sc_out<T>& pin) {
    channel_ = pin.operator->();
    wire_ = dynamic_cast<Wire*>(channel_);
    if (wire_ == nullptr) own_ = std::make_unique<T>();
    next_ = wire_ != nullptr ? wire_->next_ : own_.get();
  }
  void write(const T& value) {
    *next_ = value;
    send();
  }

  /// The value that send() writes, to be changed in place just before. It is still what this pin wrote last.
  T& next() { return *next_; }
  void send() {
    if (wire_ != nullptr) {
      wire_->written();
    } else {
      channel_->write(*next_);
    }
  }

 private:
  using Wire = typename WireBank<T>::Wire;
  T* next_ = nullptr;
  Wire* wire_ = nullptr;
  sc_core::sc_signal_inout_if<T>* channel_ = nullptr;
  std::unique_ptr<T> own_;
};

}  // namespace lpa::hw
