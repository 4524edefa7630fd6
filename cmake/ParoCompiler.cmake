# Compiler settings that hold for every target, and paro_library(): one static library per folder of src/.

if(NOT CMAKE_BUILD_TYPE)
  set(CMAKE_BUILD_TYPE Release CACHE STRING "" FORCE)
endif()

find_program(PARO_CCACHE ccache)
if(PARO_CCACHE)
  set(CMAKE_CXX_COMPILER_LAUNCHER ${PARO_CCACHE})
endif()

add_compile_options(-Wall -Wextra -Wpedantic -Wshadow -Wnon-virtual-dtor -Werror)
# Results must not depend on which compiler contracts which product and sum: fused operations are written out.
add_compile_options(-ffp-contract=off -fno-math-errno)
# GCC 12 warns about its own standard library at -O2 and above.
if(CMAKE_CXX_COMPILER_ID STREQUAL "GNU")
  add_compile_options(-Wno-restrict -Wno-stringop-overflow -Wno-array-bounds -Wno-maybe-uninitialized -Wno-dangling-pointer)
  # Designated initializers leave out what keeps its default.
  add_compile_options(-Wno-missing-field-initializers)
endif()

if(PARO_SANITIZE)
  add_compile_options(-fsanitize=${PARO_SANITIZE} -fno-omit-frame-pointer -fno-sanitize-recover=all)
  add_link_options(-fsanitize=${PARO_SANITIZE})
endif()
if(PARO_FUZZ AND CMAKE_CXX_COMPILER_ID MATCHES Clang)
  add_compile_options(-fsanitize=fuzzer-no-link)
endif()

# Sanitized builds share parsed headers to save time; the others show whether every file includes what it uses.
if(PARO_SANITIZE)
  set(CMAKE_DISABLE_PRECOMPILE_HEADERS OFF)
else()
  set(CMAKE_DISABLE_PRECOMPILE_HEADERS ON)
endif()

# paro_library(<path> SOURCES <files>... DEPENDS <targets>... [HEADERS <large headers>...]): the library paro_<path>,
# warnings as errors, includes written from src/.
function(paro_library path)
  cmake_parse_arguments(ARG "" "" "SOURCES;DEPENDS;HEADERS" ${ARGN})
  string(REPLACE "/" "_" name "paro_${path}")
  add_library(${name} STATIC ${ARG_SOURCES})
  target_include_directories(${name} PUBLIC ${CMAKE_SOURCE_DIR}/src)
  target_link_libraries(${name} PUBLIC ${ARG_DEPENDS})
  target_precompile_headers(${name} PRIVATE <fmt/format.h> <string> <vector> ${ARG_HEADERS})
endfunction()
