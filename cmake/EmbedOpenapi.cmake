# Makes one OpenAPI document of its parts, and a C++ source with its text.
# usage: cmake -D SOURCES=DIR -D VERSION=1.2.3 -D OUTPUT=openapi_text.cpp -P EmbedOpenapi.cmake
#
# Every file in paths, responses and schemas is an object; document.json.in takes their members at the folders' names.
cmake_minimum_required(VERSION 3.23)

foreach(folder paths responses schemas)
  string(TOUPPER ${folder} placeholder)
  set(${placeholder} "")
  file(GLOB files "${SOURCES}/${folder}/*.json")
  foreach(file IN LISTS files)
    file(READ "${file}" object)
    string(JSON n_members ERROR_VARIABLE failure LENGTH "${object}")
    if(failure OR n_members EQUAL 0)
      message(FATAL_ERROR "${file} must be a JSON object with members: ${failure}")
    endif()
    string(REGEX REPLACE "^[ \n]*{|}[ \n]*$" "" members "${object}")
    string(APPEND ${placeholder} "${members},")
  endforeach()
  string(REGEX REPLACE ",$" "" ${placeholder} "${${placeholder}}")
endforeach()
file(READ "${SOURCES}/document.json.in" document)
string(CONFIGURE "${document}" document @ONLY)
string(REGEX REPLACE "\n *" "" document "${document}")  # a string of JSON has no line breaks
string(JSON type ERROR_VARIABLE failure TYPE "${document}")
if(failure)
  message(FATAL_ERROR "${SOURCES}: the document is not JSON: ${failure}")
endif()

include(${CMAKE_CURRENT_LIST_DIR}/ByteArray.cmake)
get_filename_component(folder "${OUTPUT}" DIRECTORY)
set(document_file "${folder}/openapi.json")
file(WRITE "${document_file}" "${document}")
byte_array("${document_file}" bytes)

file(WRITE "${OUTPUT}" "// Made by cmake/EmbedOpenapi.cmake.
#include \"server/openapi/openapi.h\"

namespace paro::server {
namespace {

constexpr unsigned char kDocument[] = {
${bytes}};

}  // namespace

std::string_view openapi_text() { return {reinterpret_cast<const char*>(kDocument), sizeof kDocument}; }

}  // namespace paro::server
")
