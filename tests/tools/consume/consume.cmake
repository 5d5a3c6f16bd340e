# Installs the build tree BUILD into a prefix of its own below WORK, then configures, builds and runs the project SOURCE
# against it.
function(run)
  execute_process(COMMAND ${ARGV} RESULT_VARIABLE result OUTPUT_VARIABLE output ERROR_VARIABLE output)
  if(NOT result EQUAL 0)
    message(FATAL_ERROR "failed (${result}): ${ARGV}\n${output}")
  endif()
endfunction()

file(REMOVE_RECURSE "${WORK}")
run("${CMAKE_COMMAND}" --install "${BUILD}" --prefix "${WORK}/prefix")
run("${CMAKE_COMMAND}" -S "${SOURCE}" -B "${WORK}/build" -G Ninja -DCMAKE_BUILD_TYPE=Release
    "-DCMAKE_PREFIX_PATH=${WORK}/prefix" -DCMAKE_FIND_PACKAGE_NO_PACKAGE_REGISTRY=ON)
run("${CMAKE_COMMAND}" --build "${WORK}/build")
run("${WORK}/build/use_formats")
run("${CMAKE_COMMAND}" -E env SC_COPYRIGHT_MESSAGE=DISABLE "${WORK}/build/use_driver")
run("${WORK}/prefix/bin/lpasim" --version)
run("${WORK}/prefix/bin/lpasim" describe)
foreach(file share/lpasim/report.schema.json share/lpasim/configs include/lpa/quant/formats/lp_format.h)
  if(NOT EXISTS "${WORK}/prefix/${file}")
    message(FATAL_ERROR "${file} is not installed")
  endif()
endforeach()
