# Compiler and linker flags of every target. The lists are those of the project's style guide; each
# option that differs between presets is a cache variable set in CMakePresets.json.
set(CMAKE_C_STANDARD 17)
set(CMAKE_C_STANDARD_REQUIRED ON)
set(CMAKE_C_EXTENSIONS OFF)
set(CMAKE_EXPORT_COMPILE_COMMANDS ON)
set(CMAKE_POSITION_INDEPENDENT_CODE ON)

option(RINGMAIN_WERROR "warnings are errors" ON)
option(RINGMAIN_HARDEN "hardening flags (dropped in sanitizer builds)" ON)
option(RINGMAIN_BENCHMARKS "build benchmarks/" ON)
option(RINGMAIN_FUZZ "build fuzz targets with libFuzzer (clang)" OFF)
option(RINGMAIN_COVERAGE "gcov instrumentation" OFF)
option(RINGMAIN_FAST_CORE "the guard's and planner's pure core with -O3 and across its files (what ships)" OFF)
set(RINGMAIN_SANITIZE "" CACHE STRING "value of -fsanitize=, empty for none")

add_compile_definitions(_GNU_SOURCE)
add_compile_options(
  -Wall -Wextra -Wpedantic -Wconversion -Wsign-conversion -Wshadow -Wswitch-enum -Wcast-align -Wundef
  -Wmissing-prototypes -Wstrict-prototypes -Wformat=2 -Wdouble-promotion -Wvla
  -fno-strict-aliasing -fno-strict-overflow -fno-delete-null-pointer-checks
  "-ffile-prefix-map=${CMAKE_SOURCE_DIR}=." "-ffile-prefix-map=${CMAKE_BINARY_DIR}=build")
if(RINGMAIN_WERROR)
  add_compile_options(-Werror)
endif()
if(RINGMAIN_HARDEN)
  add_compile_options(-U_FORTIFY_SOURCE -D_FORTIFY_SOURCE=3 -fstack-protector-strong -fcf-protection=full)
  if(CMAKE_C_COMPILER_ID STREQUAL "GNU") # Debian 12's clang knows neither
    add_compile_options(-fstack-clash-protection -ftrivial-auto-var-init=zero)
  endif()
endif()
add_link_options(-Wl,-z,relro -Wl,-z,now -Wl,-z,noexecstack -Wl,--as-needed)
if(RINGMAIN_SANITIZE)
  add_compile_options(-fsanitize=${RINGMAIN_SANITIZE} -fno-omit-frame-pointer -fno-sanitize-recover=all)
  add_link_options(-fsanitize=${RINGMAIN_SANITIZE})
endif()
if(RINGMAIN_COVERAGE)
  add_compile_options(--coverage -fprofile-update=atomic)
  add_link_options(--coverage)
endif()
if(RINGMAIN_FUZZ)
  add_compile_options(-fsanitize=fuzzer-no-link,address,undefined -fno-omit-frame-pointer)
  add_link_options(-fsanitize=address,undefined)
endif()
include(CheckPIESupported)
check_pie_supported()
