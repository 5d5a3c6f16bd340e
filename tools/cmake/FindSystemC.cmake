# Finds the SystemC library, which Debian ships without a CMake package, and defines SystemC::systemc.
# The library is built as C++17 and checks that at link time; SC_CPLUSPLUS tells a C++20 user's headers so.
find_path(SystemC_INCLUDE_DIR systemc.h)
find_library(SystemC_LIBRARY systemc)
if(SystemC_INCLUDE_DIR AND EXISTS "${SystemC_INCLUDE_DIR}/sysc/kernel/sc_ver.h")
  foreach(part MAJOR MINOR PATCH)
    file(STRINGS "${SystemC_INCLUDE_DIR}/sysc/kernel/sc_ver.h" line REGEX "define SC_VERSION_${part} +[0-9]+")
    string(REGEX REPLACE ".* ([0-9]+).*" "\\1" SystemC_${part} "${line}")
  endforeach()
  set(SystemC_VERSION "${SystemC_MAJOR}.${SystemC_MINOR}.${SystemC_PATCH}")
endif()
include(FindPackageHandleStandardArgs)
find_package_handle_standard_args(SystemC REQUIRED_VARS SystemC_LIBRARY SystemC_INCLUDE_DIR VERSION_VAR SystemC_VERSION)
if(SystemC_FOUND AND NOT TARGET SystemC::systemc)
  add_library(SystemC::systemc UNKNOWN IMPORTED)
  set_target_properties(SystemC::systemc PROPERTIES
    IMPORTED_LOCATION "${SystemC_LIBRARY}"
    INTERFACE_INCLUDE_DIRECTORIES "${SystemC_INCLUDE_DIR}"
    INTERFACE_SYSTEM_INCLUDE_DIRECTORIES "${SystemC_INCLUDE_DIR}"
    INTERFACE_COMPILE_DEFINITIONS "SC_CPLUSPLUS=201703L")
endif()
mark_as_advanced(SystemC_INCLUDE_DIR SystemC_LIBRARY)
