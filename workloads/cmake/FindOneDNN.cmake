# Finds oneDNN and defines OneDNN::dnnl. Debian's own package file (dnnl-config.cmake) insists on the development files of
# OpenCL, which the CPU engine does not need.
find_path(OneDNN_INCLUDE_DIR dnnl.hpp)
find_library(OneDNN_LIBRARY dnnl)
find_file(OneDNN_VERSION_HEADER dnnl_version.h PATHS "${OneDNN_INCLUDE_DIR}/oneapi/dnnl" NO_DEFAULT_PATH)
if(OneDNN_VERSION_HEADER)
  foreach(part MAJOR MINOR PATCH)
    file(STRINGS "${OneDNN_VERSION_HEADER}" line REGEX "define DNNL_VERSION_${part} +[0-9]+")
    string(REGEX REPLACE ".* ([0-9]+).*" "\\1" OneDNN_${part} "${line}")
  endforeach()
  set(OneDNN_VERSION "${OneDNN_MAJOR}.${OneDNN_MINOR}.${OneDNN_PATCH}")
endif()
include(FindPackageHandleStandardArgs)
find_package_handle_standard_args(OneDNN REQUIRED_VARS OneDNN_LIBRARY OneDNN_INCLUDE_DIR VERSION_VAR OneDNN_VERSION)
if(OneDNN_FOUND AND NOT TARGET OneDNN::dnnl)
  add_library(OneDNN::dnnl UNKNOWN IMPORTED)
  set_target_properties(OneDNN::dnnl PROPERTIES
    IMPORTED_LOCATION "${OneDNN_LIBRARY}"
    INTERFACE_INCLUDE_DIRECTORIES "${OneDNN_INCLUDE_DIR}"
    INTERFACE_SYSTEM_INCLUDE_DIRECTORIES "${OneDNN_INCLUDE_DIR}")
endif()
mark_as_advanced(OneDNN_INCLUDE_DIR OneDNN_LIBRARY OneDNN_VERSION_HEADER)
