# Installs the program, and the libraries as the CMake package `lpasim` (targets lpa::formats, lpa::driver, ...).
include(CMakePackageConfigHelpers)

get_property(lpa_libraries GLOBAL PROPERTY LPA_LIBRARIES)
set(lpa_package_dir "${CMAKE_INSTALL_LIBDIR}/cmake/lpasim")

install(TARGETS ${lpa_libraries} EXPORT lpasim
  ARCHIVE DESTINATION "${CMAKE_INSTALL_LIBDIR}"
  FILE_SET HEADERS DESTINATION "${CMAKE_INSTALL_INCLUDEDIR}/lpa")
install(EXPORT lpasim NAMESPACE lpa:: FILE lpasimTargets.cmake DESTINATION "${lpa_package_dir}")

list(TRANSFORM lpa_libraries REPLACE "^lpa_" "" OUTPUT_VARIABLE LPA_COMPONENTS)
configure_package_config_file("${CMAKE_CURRENT_LIST_DIR}/lpasimConfig.cmake.in"
  "${PROJECT_BINARY_DIR}/lpasimConfig.cmake" INSTALL_DESTINATION "${lpa_package_dir}")
write_basic_package_version_file("${PROJECT_BINARY_DIR}/lpasimConfigVersion.cmake" COMPATIBILITY SameMinorVersion)
install(FILES "${PROJECT_BINARY_DIR}/lpasimConfig.cmake" "${PROJECT_BINARY_DIR}/lpasimConfigVersion.cmake"
  "${CMAKE_CURRENT_LIST_DIR}/FindSystemC.cmake" "${PROJECT_SOURCE_DIR}/workloads/cmake/FindOneDNN.cmake"
  DESTINATION "${lpa_package_dir}")

install(TARGETS lpasim RUNTIME DESTINATION "${CMAKE_INSTALL_BINDIR}")
install(FILES "${PROJECT_SOURCE_DIR}/tools/lpasim/report.schema.json" DESTINATION "${CMAKE_INSTALL_DATADIR}/lpasim")
install(DIRECTORY "${PROJECT_SOURCE_DIR}/hw_model/configs" DESTINATION "${CMAKE_INSTALL_DATADIR}/lpasim")
install(DIRECTORY "${PROJECT_SOURCE_DIR}/traces/networks/" DESTINATION "${CMAKE_INSTALL_DATADIR}/lpasim/traces")
install(FILES "${PROJECT_SOURCE_DIR}/LICENSE" DESTINATION "${CMAKE_INSTALL_DOCDIR}")
