# Helpers that declare the project's targets: one library per room, one executable per test file.
include(GNUInstallDirs)

set(LPA_CXX_WARNINGS -Wall -Wextra -Wpedantic -Wshadow -Wconversion -Wsign-conversion -Wnon-virtual-dtor
                     -Woverloaded-virtual -Wold-style-cast -Wcast-align)

# Options that every target of the project is compiled with; not part of what is exported.
add_library(lpa_build_options INTERFACE)
target_compile_options(lpa_build_options INTERFACE ${LPA_CXX_WARNINGS} $<$<BOOL:${LPA_WERROR}>:-Werror>)
if(LPA_SANITIZE)
  target_compile_options(lpa_build_options INTERFACE -fsanitize=address,undefined -fno-sanitize-recover=all
                                                    -fno-omit-frame-pointer)
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

# lpa_add_library(<room> SOURCES ... HEADERS ... [PUBLIC libs...] [PRIVATE libs...])
# declares the library lpa_<room>, alias lpa::<room>. Headers are included by their path from the project's root.
function(lpa_add_library room)
  cmake_parse_arguments(ARG "" "" "SOURCES;HEADERS;PUBLIC;PRIVATE" ${ARGN})
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
  set_property(GLOBAL APPEND PROPERTY LPA_LIBRARIES ${target})
endfunction()

# lpa_add_test(<name> <label> SOURCES ... LIBS ... [SYSTEMC] [TIMEOUT seconds])
# One executable of GoogleTest cases. A SYSTEMC test gets the main() that enters the SystemC kernel, and one process per
# test case, because a process can elaborate only once.
function(lpa_add_test name label)
  cmake_parse_arguments(ARG "SYSTEMC" "TIMEOUT" "SOURCES;LIBS" ${ARGN})
  if(NOT ARG_TIMEOUT)
    set(ARG_TIMEOUT 300)
  endif()
  add_executable(${name} ${ARG_SOURCES})
  set_target_properties(${name} PROPERTIES CXX_EXTENSIONS OFF)
  target_link_libraries(${name} PRIVATE ${ARG_LIBS} lpa_build_options)
  if(ARG_SYSTEMC)
    target_link_libraries(${name} PRIVATE lpa_systemc_test_main GTest::gmock)
    gtest_discover_tests(${name} PROPERTIES LABELS ${label} TIMEOUT ${ARG_TIMEOUT} DISCOVERY_TIMEOUT 60)
  else()
    target_link_libraries(${name} PRIVATE GTest::gmock GTest::gtest_main)
    add_test(NAME ${name} COMMAND ${name} --gtest_brief=1)
    set_tests_properties(${name} PROPERTIES LABELS ${label} TIMEOUT ${ARG_TIMEOUT})
  endif()
endfunction()
