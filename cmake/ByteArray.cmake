# byte_array(FILE RESULT): the bytes of FILE as a C++ array's elements. Unlike text in quotes they may be any number.
function(byte_array file result)
  file(READ "${file}" digits HEX)
  string(REGEX REPLACE "(..)" "0x\\1," bytes "${digits}")
  string(REGEX REPLACE "(................................................................................)" "\\1\n" bytes "${bytes}")
  set(${result} "${bytes}" PARENT_SCOPE)
endfunction()
