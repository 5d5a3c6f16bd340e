# Helpers that declare the project's targets: one library per room, one executable per test file.
include(GNUInstallDirs)

set(LPA_CXX_WARNINGS -Wall -Wextra -Wpedantic -Wshadow -Wconversion -Wsign-conversion -Wnon-virtual-dtor
                     -Woverloaded-virtual -Wold-style-cast -Wcast-align)

# Options that every target of the project is compiled with; not part of what is exported.
add_library(lpa_build_options INTERFACE)
# Position-independent code would else keep functions that others might replace from being inlined.
target_compile_options(lpa_build_options INTERFACE ${LPA_CXX_WARNINGS} $<$<BOOL:${LPA_WERROR}>:-Werror>
                                                   -fno-semantic-interposition)
target_link_libraries(lpa_build_options INTERFACE fmt::fmt)
if(LPA_SANITIZE)
  # Without those checks of undefined behaviour whose failures AddressSanitizer would see: they take half of a build.
  target_compile_options(lpa_build_options INTERFACE
    -fsanitize=address,undefined -fno-sanitize=alignment,null,nonnull-attribute,object-size,returns-nonnull-attribute,vptr
    -fno-sanitize-recover=all -fno-omit-frame-pointer)
  target_link_options(lpa_build_options INTERFACE -fsanitize=address,undefined)
endif()
if(LPA_FUZZ)
  target_compile_options(lpa_build_options INTERFACE -fsanitize=fuzzer-no-link,address,undefined
                                                     -fno-sanitize-recover=all -fno-omit-frame-pointer)
  target_link_options(lpa_build_options INTERFACE -fsanitize=address,undefined)
endif()
if(LPA_COVERAGE)
  target_compile_options(lpa_build_options INTERFACE --coverage)
  target_link_options(lpa_build_options INTERFACE --coverage)
endif()

# Most of a build's time goes to tests, whose own code need not be fast.
add_library(lpa_test_options INTERFACE)
target_compile_options(lpa_test_options INTERFACE $<IF:$<CONFIG:Release>,-O1,-O0>)
target_link_libraries(lpa_test_options INTERFACE lpa_build_options)

# Headers that many sources share, parsed once for the libraries and once for the tests, each without and with SystemC.
# Sources still include what they use.
set(LPA_SHARED_HEADERS <algorithm> <array> <bit> <charconv> <cmath> <cstdint> <filesystem> <functional> <limits> <map>
                       <memory> <optional> <random> <set> <span> <sstream> <stdexcept> <string> <string_view> <utility>
                       <variant> <vector> <fmt/format.h>)
set(LPA_SHARED_SYSTEMC_HEADERS <systemc> <tlm> <tlm_utils/simple_initiator_socket.h>
                               <tlm_utils/simple_target_socket.h>)

# lpa_share_headers(<name> HEADERS ... LIBS ...) declares a set of headers for lpa_use_shared_headers(). Who uses it must
# be compiled with the same options.
function(lpa_share_headers name)
  cmake_parse_arguments(ARG "" "" "HEADERS;LIBS" ${ARGN})
  if(NOT LPA_PRECOMPILE)
    return()
  endif()
  file(CONFIGURE OUTPUT ${name}.cpp CONTENT "// A target needs a source; this one is about its precompiled headers.\n")
  add_library(${name} OBJECT ${CMAKE_CURRENT_BINARY_DIR}/${name}.cpp)
  target_compile_features(${name} PRIVATE cxx_std_20)
  set_target_properties(${name} PROPERTIES CXX_EXTENSIONS OFF)
  target_link_libraries(${name} PRIVATE ${ARG_LIBS})
  target_precompile_headers(${name} PRIVATE ${ARG_HEADERS})
endfunction()

function(lpa_use_shared_headers target name)
  if(LPA_PRECOMPILE)
    target_precompile_headers(${target} REUSE_FROM ${name})
  endif()
endfunction()

lpa_share_headers(lpa_library_headers HEADERS ${LPA_SHARED_HEADERS} LIBS lpa_build_options)
lpa_share_headers(lpa_systemc_library_headers
  HEADERS ${LPA_SHARED_HEADERS} ${LPA_SHARED_SYSTEMC_HEADERS} LIBS SystemC::systemc lpa_build_options)
foreach(headers lpa_library_headers lpa_systemc_library_headers)
  if(TARGET ${headers})
    set_target_properties(${headers} PROPERTIES POSITION_INDEPENDENT_CODE ON)
  endif()
endforeach()

# lpa_add_library(<room> SOURCES ... HEADERS ... [PUBLIC libs...] [PRIVATE libs...] [SYSTEMC])
# declares the library lpa_<room>, alias lpa::<room>. Headers are included by their path from the project's root. A
# SYSTEMC library's headers may include SystemC's.
function(lpa_add_library room)
  cmake_parse_arguments(ARG "SYSTEMC" "" "SOURCES;HEADERS;PUBLIC;PRIVATE" ${ARGN})
  set(target lpa_${room})
  add_library(${target} STATIC ${ARG_SOURCES})
  add_library(lpa::${room} ALIAS ${target})
  target_sources(${target} PUBLIC FILE_SET HEADERS BASE_DIRS "${PROJECT_SOURCE_DIR}" FILES ${ARG_HEADERS})
  target_include_directories(${target} PUBLIC $<BUILD_INTERFACE:${PROJECT_SOURCE_DIR}>
                                              $<INSTALL_INTERFACE:${CMAKE_INSTALL_INCLUDEDIR}/lpa>)
  target_compile_features(${target} PUBLIC cxx_std_20)
  set_target_properties(${target} PROPERTIES EXPORT_NAME ${room} CXX_EXTENSIONS OFF
                                             POSITION_INDEPENDENT_CODE ON)
  target_link_libraries(${target} PUBLIC ${ARG_PUBLIC} PRIVATE ${ARG_PRIVATE} $<BUILD_INTERFACE:lpa_build_options>)
  if(ARG_SYSTEMC)
    target_link_libraries(${target} PUBLIC SystemC::systemc)
    lpa_use_shared_headers(${target} lpa_systemc_library_headers)
  else()
    lpa_use_shared_headers(${target} lpa_library_headers)
  endif()
  set_property(GLOBAL APPEND PROPERTY LPA_LIBRARIES ${target})
endfunction()

# lpa_add_test(<name> <label> SOURCES ... LIBS ... [SYSTEMC] [OPTIMISED] [TIMEOUT seconds])
# One executable of GoogleTest cases. A SYSTEMC test gets the main() that enters the SystemC kernel, and one process per
# test case, because a process can elaborate only once. Without LPA_UNIT_TESTS a test labelled unit or module is built
# on request only, unless it is OPTIMISED: one that tries whole spaces, on kernels that the compiler transforms deeply.
function(lpa_add_test name label)
  cmake_parse_arguments(ARG "SYSTEMC;OPTIMISED" "TIMEOUT" "SOURCES;LIBS" ${ARGN})
  if(NOT ARG_TIMEOUT)
    set(ARG_TIMEOUT 300)
  endif()
  add_executable(${name} ${ARG_SOURCES})
  set_target_properties(${name} PROPERTIES CXX_EXTENSIONS OFF)
  if(ARG_SYSTEMC)
    target_link_libraries(${name} PRIVATE ${ARG_LIBS} lpa_systemc_test_main GTest::gmock lpa_test_options)
    lpa_use_shared_headers(${name} lpa_systemc_test_headers)
  elseif(ARG_OPTIMISED)
    target_link_libraries(${name} PRIVATE ${ARG_LIBS} GTest::gmock GTest::gtest_main lpa_build_options)
  else()
    target_link_libraries(${name} PRIVATE ${ARG_LIBS} GTest::gmock GTest::gtest_main lpa_test_options)
    lpa_use_shared_headers(${name} lpa_test_headers)
  endif()
  if(label MATCHES "unit|module" AND NOT LPA_UNIT_TESTS AND NOT ARG_OPTIMISED)
    set_target_properties(${name} PROPERTIES EXCLUDE_FROM_ALL ON)
  elseif(ARG_SYSTEMC)
    gtest_discover_tests(${name} PROPERTIES LABELS ${label} TIMEOUT ${ARG_TIMEOUT} DISCOVERY_TIMEOUT 60)
  else()
    add_test(NAME ${name} COMMAND ${name} --gtest_brief=1)
    set_tests_properties(${name} PROPERTIES LABELS ${label} TIMEOUT ${ARG_TIMEOUT})
  endif()
endfunction()
