# What the backends and their tests need of other libraries, where those are not there in compiled form, as for another
# processor than this one: headers alone of fmt and spdlog, and GoogleTest from the sources that Debian installs.

add_library(fmt::fmt INTERFACE IMPORTED)
target_compile_definitions(fmt::fmt INTERFACE FMT_HEADER_ONLY)
add_library(spdlog::spdlog INTERFACE IMPORTED)
target_compile_definitions(spdlog::spdlog INTERFACE SPDLOG_FMT_EXTERNAL)
target_link_libraries(spdlog::spdlog INTERFACE fmt::fmt)

set(googletest /usr/src/googletest/googletest)
add_library(gtest_main STATIC ${googletest}/src/gtest-all.cc ${googletest}/src/gtest_main.cc)
target_include_directories(gtest_main PRIVATE ${googletest})
target_compile_options(gtest_main PRIVATE -w)
target_link_libraries(gtest_main PUBLIC Threads::Threads)
add_library(GTest::gtest_main ALIAS gtest_main)
