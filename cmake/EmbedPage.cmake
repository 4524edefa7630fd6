# Makes one HTML file of the web page's sources, and a C++ source with its bytes, plain and compressed, and the hashes
# that its Content-Security-Policy names.
# usage: cmake -D SOURCES=DIR -D SCRIPTS=a.js,b.js -D OUTPUT=page_bytes.cpp -P EmbedPage.cmake
#
# Scripts are modules that import names of those before them in SCRIPTS; here each becomes a function of one script,
# which returns what the module exports.
cmake_minimum_required(VERSION 3.23)

set(script "const modules = {};\n")
string(REPLACE "," ";" names "${SCRIPTS}")
foreach(name IN LISTS names)
  file(READ "${SOURCES}/${name}" module)
  string(REGEX MATCHALL "\nexport [^({=]*" exports "\n${module}")
  list(TRANSFORM exports REPLACE " (extends .*)?$" "")
  list(TRANSFORM exports REPLACE "^.*[ *]" "")
  list(JOIN exports ", " exports)
  string(REGEX REPLACE "(^|\n)import ({[^}]*}) from \"./([^\"]*)\";" "\\1const \\2 = modules[\"\\3\"];" module "${module}")
  string(REGEX REPLACE "(^|\n)export " "\\1" module "${module}")
  string(APPEND script "modules[\"${name}\"] = (() => {\n${module}return {${exports}};\n})();\n")
endforeach()
file(READ "${SOURCES}/style.css" style)
file(READ "${SOURCES}/index.html" html)

function(replace_once text tag replacement)
  string(FIND "${${text}}" "${tag}" at)
  if(at EQUAL -1)
    message(FATAL_ERROR "${SOURCES}/index.html has no ${tag}")
  endif()
  string(REPLACE "${tag}" "${replacement}" replaced "${${text}}")
  set(${text} "${replaced}" PARENT_SCOPE)
endfunction()
replace_once(html "<link rel=\"stylesheet\" href=\"style.css\">" "<style>${style}</style>")
replace_once(html "<script type=\"module\" src=\"app.js\"></script>" "<script type=\"module\">${script}</script>")

# SHA-256 as Content-Security-Policy spells it, of text between two tags.
function(policy_hash text result)
  set(alphabet ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/)
  string(SHA256 digits "${text}")
  set(base64 "")
  foreach(at RANGE 0 63 3)  # three digits are two letters; the last digit stands alone
    string(SUBSTRING "${digits}00" ${at} 3 group)
    math(EXPR high "0x${group} >> 6")
    math(EXPR low "0x${group} & 63")
    foreach(index ${high} ${low})
      string(SUBSTRING "${alphabet}" ${index} 1 letter)
      string(APPEND base64 "${letter}")
    endforeach()
  endforeach()
  string(SUBSTRING "${base64}" 0 43 base64)  # of 32 bytes
  set(${result} "sha256-${base64}=" PARENT_SCOPE)
endfunction()
policy_hash("${script}" script_hash)
policy_hash("${style}" style_hash)

include(${CMAKE_CURRENT_LIST_DIR}/ByteArray.cmake)
get_filename_component(folder "${OUTPUT}" DIRECTORY)
set(html_file "${folder}/page.html")
file(WRITE "${html_file}" "${html}")
file(ARCHIVE_CREATE OUTPUT "${html_file}.gz" PATHS "${html_file}" FORMAT raw COMPRESSION GZip COMPRESSION_LEVEL 9)
byte_array("${html_file}" plain_bytes)
byte_array("${html_file}.gz" gzip_bytes)
string(SHA256 version "${html}")
string(SUBSTRING "${version}" 0 16 version)

file(WRITE "${OUTPUT}" "// Made by cmake/EmbedPage.cmake of ${SCRIPTS}, style.css and index.html.
#include \"server/page/page.h\"

namespace paro::server {
namespace {

constexpr unsigned char kPlain[] = {
${plain_bytes}};
constexpr unsigned char kGzip[] = {
${gzip_bytes}};

std::string_view view(const auto& bytes) { return {reinterpret_cast<const char*>(bytes), sizeof(bytes)}; }

}  // namespace

Page page() {
  return {view(kPlain), view(kGzip), \"W/\\\"${version}\\\"\", \"'${script_hash}'\", \"'${style_hash}'\"};
}

}  // namespace paro::server
")
