// main() of the tests that simulate. libsystemc exports a main of its own, so gtest_main must never be linked beside
// it. A process can elaborate once: run one test per process, as ctest does.
#include <cstdlib>

#include <gtest/gtest.h>
#include <systemc>

namespace {

/// A warning of the SystemC kernel fails the test in which it was reported.
class FailOnWarning : public ::testing::EmptyTestEventListener {
  void OnTestEnd(const ::testing::TestInfo&) override {
    const int count = sc_core::sc_report_handler::get_count(sc_core::SC_WARNING);
    EXPECT_EQ(count, seen_) << "SystemC reported warnings; they are printed above";
    seen_ = count;
  }
  int seen_ = 0;
};

}  // namespace

int sc_main(int, char**) {
  return RUN_ALL_TESTS();
}

int main(int argc, char** argv) {
  setenv("SC_COPYRIGHT_MESSAGE", "DISABLE", 1);
  ::testing::InitGoogleTest(&argc, argv);
  ::testing::UnitTest::GetInstance()->listeners().Append(new FailOnWarning);  // GoogleTest deletes it.
  return sc_core::sc_elab_and_sim(argc, argv);
}
