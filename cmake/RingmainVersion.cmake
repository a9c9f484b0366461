# The version that programs report: project version, commit, and "+dirty" when the tree differs from it.
# Refreshed at configure time; without git (a release archive) the project version alone.
find_package(Git QUIET)
set(RINGMAIN_VERSION "${PROJECT_VERSION}")
if(GIT_FOUND AND EXISTS "${CMAKE_SOURCE_DIR}/.git")
  execute_process(COMMAND ${GIT_EXECUTABLE} -C ${CMAKE_SOURCE_DIR} describe --always --dirty=+dirty --abbrev=9
                  OUTPUT_VARIABLE git_text OUTPUT_STRIP_TRAILING_WHITESPACE ERROR_QUIET RESULT_VARIABLE git_code)
  if(git_code EQUAL 0)
    set(RINGMAIN_VERSION "${PROJECT_VERSION}-g${git_text}")
  endif()
endif()
file(CONFIGURE OUTPUT ${CMAKE_BINARY_DIR}/generated/ringmain_version.h CONTENT
"#ifndef RINGMAIN_VERSION_H
#define RINGMAIN_VERSION_H
#define RINGMAIN_VERSION \"@RINGMAIN_VERSION@\"
#endif
" @ONLY)
include_directories(${CMAKE_BINARY_DIR}/generated)
