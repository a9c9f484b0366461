# Helpers so that a folder's CMakeLists.txt reads as a list of what it builds.

# ringmain_library(NAME SOURCES a.c ... [LIBS x ...])  static library; includes are written from the top of the tree
function(ringmain_library name)
  cmake_parse_arguments(ARG "" "" "SOURCES;LIBS" ${ARGN})
  add_library(${name} STATIC ${ARG_SOURCES})
  target_include_directories(${name} PUBLIC ${CMAKE_SOURCE_DIR})
  target_link_libraries(${name} PUBLIC ${ARG_LIBS})
endfunction()

# ringmain_core(NAME ..)  libraries of the pure core. They are many small functions in many files, called for every slot in
# every step: in what ships the compiler sees them together. Their objects serve ordinary links too (tests, symbol check).
function(ringmain_core)
  if(RINGMAIN_FAST_CORE)
    foreach(name ${ARGN})
      target_compile_options(${name} PRIVATE -O3 -flto -ffat-lto-objects)
    endforeach()
  endif()
endfunction()

# ringmain_core_program(NAME ..)  programs that link the core so
function(ringmain_core_program)
  if(RINGMAIN_FAST_CORE)
    foreach(name ${ARGN})
      target_link_options(${name} PRIVATE -O3 -flto=auto)
    endforeach()
  endif()
endfunction()

# ringmain_program(NAME SOURCES a.c ... [LIBS x ...])  executable in build/<preset>/bin
function(ringmain_program name)
  cmake_parse_arguments(ARG "" "" "SOURCES;LIBS" ${ARGN})
  add_executable(${name} ${ARG_SOURCES})
  target_include_directories(${name} PRIVATE ${CMAKE_SOURCE_DIR})
  target_link_libraries(${name} PRIVATE ${ARG_LIBS})
  set_target_properties(${name} PROPERTIES RUNTIME_OUTPUT_DIRECTORY ${CMAKE_BINARY_DIR}/bin)
endfunction()

# ringmain_test(NAME SOURCES a.c ... [LIBS x ...] [LABEL unit|integration|..] [TIMEOUT s])  a cmocka program run by ctest
function(ringmain_test name)
  cmake_parse_arguments(ARG "" "LABEL;TIMEOUT" "SOURCES;LIBS;ARGS" ${ARGN})
  if(NOT ARG_LABEL)
    set(ARG_LABEL unit)
  endif()
  if(NOT ARG_TIMEOUT)
    set(ARG_TIMEOUT 120)
  endif()
  add_executable(${name} ${ARG_SOURCES})
  target_include_directories(${name} PRIVATE ${CMAKE_SOURCE_DIR})
  target_link_libraries(${name} PRIVATE ${ARG_LIBS} cmocka)
  set_target_properties(${name} PROPERTIES RUNTIME_OUTPUT_DIRECTORY ${CMAKE_BINARY_DIR}/tests)
  add_test(NAME ${name} COMMAND ${name} ${ARG_ARGS} WORKING_DIRECTORY ${CMAKE_SOURCE_DIR})
  set_tests_properties(${name} PROPERTIES LABELS ${ARG_LABEL} TIMEOUT ${ARG_TIMEOUT})
  if(CMAKE_CURRENT_SOURCE_DIR MATCHES "tests/unit/shm$")
    set_property(GLOBAL APPEND PROPERTY RINGMAIN_THREAD_TESTS ${name})  # built and run in the tsan preset
  endif()
endfunction()

# ringmain_fuzz(NAME SOURCES a.c ... [LIBS x ...])  a libFuzzer target; built only in the fuzz preset
function(ringmain_fuzz name)
  if(NOT RINGMAIN_FUZZ)
    return()
  endif()
  cmake_parse_arguments(ARG "" "" "SOURCES;LIBS" ${ARGN})
  add_executable(${name} ${ARG_SOURCES})
  target_include_directories(${name} PRIVATE ${CMAKE_SOURCE_DIR})
  target_link_libraries(${name} PRIVATE ${ARG_LIBS})
  target_link_options(${name} PRIVATE -fsanitize=fuzzer)
  set_target_properties(${name} PROPERTIES RUNTIME_OUTPUT_DIRECTORY ${CMAKE_BINARY_DIR}/fuzz)
  set_property(GLOBAL APPEND PROPERTY RINGMAIN_FUZZ_TARGETS ${name})
endfunction()

# ringmain_subdirectories(a b ..)  add those that hold a CMakeLists.txt
function(ringmain_subdirectories)
  foreach(dir ${ARGN})
    if(EXISTS ${CMAKE_CURRENT_SOURCE_DIR}/${dir}/CMakeLists.txt)
      add_subdirectory(${dir})
    endif()
  endforeach()
endfunction()
