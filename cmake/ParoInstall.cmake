# What `make install` puts where, and the Debian package that `make package` makes of it.
include(GNUInstallDirs)

install(TARGETS paro RUNTIME)
install(FILES README.md LICENSE NOTICE DESTINATION ${CMAKE_INSTALL_DOCDIR})
install(DIRECTORY docs DESTINATION ${CMAKE_INSTALL_DOCDIR})

if(CMAKE_SYSTEM_NAME STREQUAL "Linux")
  install(FILES packaging/paro.env packaging/paro.toml DESTINATION ${CMAKE_INSTALL_DOCDIR}/examples)
  # The unit names the installed program, whose prefix is known only now.
  install(CODE "
    set(bindir \"\${CMAKE_INSTALL_PREFIX}/${CMAKE_INSTALL_BINDIR}\")
    set(docdir \"\${CMAKE_INSTALL_PREFIX}/${CMAKE_INSTALL_DOCDIR}\")
    configure_file(\"${CMAKE_SOURCE_DIR}/packaging/paro.service.in\"
                   \"${CMAKE_BINARY_DIR}/packaging/paro.service\" @ONLY)")
  install(FILES ${CMAKE_BINARY_DIR}/packaging/paro.service DESTINATION lib/systemd/system)
endif()

set(CPACK_GENERATOR DEB)
set(CPACK_PACKAGE_NAME paro)
set(CPACK_PACKAGE_CONTACT "The paro.cpp authors")
set(CPACK_PACKAGE_DIRECTORY ${CMAKE_BINARY_DIR})
set(CPACK_SET_DESTDIR ON)  # so that the prefix is /usr while files go to a staging folder
set(CPACK_INSTALL_PREFIX /usr)
set(CPACK_STRIP_FILES ON)
set(CPACK_DEBIAN_FILE_NAME DEB-DEFAULT)
set(CPACK_DEBIAN_PACKAGE_SECTION science)
set(CPACK_DEBIAN_PACKAGE_SHLIBDEPS ON)
set(CPACK_DEBIAN_PACKAGE_RECOMMENDS "libcurl4, ca-certificates")  # which paro pull loads
include(CPack)
