#include "cli/config_file.h"

#include <CLI/Config.hpp>
#include <algorithm>
#include <set>
#include <sstream>

#include "base/error.h"
#include "base/file.h"

namespace paro::cli {
namespace {

constexpr int64_t kMaxFileBytes = 1 << 20;

// Of a command, by its long name.
CLI::Option* find_flag(CLI::App& command, const std::string& key) {
  for (CLI::Option* option : command.get_options()) {
    if (option->get_configurable() && option->check_lname(key)) return option;
  }
  return nullptr;
}

CLI::App* find_command(CLI::App& all, const std::string& name) {
  for (CLI::App* command : all.get_subcommands({})) {
    if (command->get_name() == name) return command;
  }
  return nullptr;
}

// What CLI11 would pass over, or read on for.
void check_lines(const std::string& file, const std::string& text) {
  std::istringstream lines(text);
  int n_lines = 0;
  for (std::string line; std::getline(lines, line);) {
    ++n_lines;
    CLI::detail::trim(line);
    if (line.empty() || line.front() == '#' || line.front() == ';') continue;
    if (line.size() < 3) {
      throw Error(ErrorKind::usage, "--config '{}': line {} is '{}', expected 'flag = value'", file, n_lines, line);
    }
    std::string value = line.substr(0, line.find('#'));
    value = CLI::detail::trim_copy(value.substr(std::min(value.find('='), value.size() - 1) + 1));
    if (value.starts_with('[') && !value.ends_with(']')) {
      throw Error(ErrorKind::usage, "--config '{}': line {} begins a list, expected its end ']' on the same line", file,
                  n_lines);
    }
  }
}

void give(CLI::Option& flag, const CLI::ConfigItem& item) {
  if (flag.get_expected_min() == 0) {
    flag.add_result(flag.get_flag_value(item.name, CLI::ConfigTOML().to_flag(item)));
  } else {
    flag.add_result(item.inputs);
  }
  flag.run_callback();
}

void apply(const std::string& file, CLI::App& command) {
  const std::string text = read_text_file(file, kMaxFileBytes);
  check_lines(file, text);
  std::istringstream lines(text);
  std::set<const CLI::Option*> seen;
  for (const CLI::ConfigItem& item : CLI::ConfigTOML().from_config(lines)) {
    const std::string section = CLI::detail::join(item.parents, "."), key = item.fullname();
    CLI::App* owner = section.empty() ? &command : find_command(*command.get_parent(), section);
    if (owner == nullptr) {
      throw Error(ErrorKind::usage, "--config '{}': '[{}]' is no command, expected one of 'paro --help'", file,
                  section);
    }
    if (item.inputs.empty() && (item.name == "++" || item.name == "--")) continue;  // a section begins or ends
    CLI::Option* flag = find_flag(*owner, item.name);
    if (flag == nullptr) {
      throw Error(ErrorKind::usage,
                  "--config '{}': '{}' is unknown, expected a flag of 'paro {} --help' without dashes", file, key,
                  owner->get_name());
    }
    if (owner != &command) continue;
    if (!seen.insert(flag).second) {
      throw Error(ErrorKind::usage, "--config '{}': '{}' is given twice, expected once; leave one out", file, key);
    }
    if (item.inputs.empty()) throw Error(ErrorKind::usage, "--config '{}': '{}' has no value", file, key);
    for (const std::string& value : item.inputs) {
      if (value.empty() || value.front() == '"' || value.front() == '\'') {
        throw Error(
            ErrorKind::usage,
            "--config '{}': '{}' has {}; write \"text\" without # in it, a number, true, false or a list of these",
            file, key, value.empty() ? "no value" : "a quote that is not closed");
      }
    }
    if (flag->count() > 0) continue;  // the command line or the environment gave it
    try {
      give(*flag, item);
    } catch (const CLI::ParseError& error) {
      throw Error(ErrorKind::usage, "--config '{}': '{}' is not understood: {}", file, key, error.what());
    }
  }
}

}  // namespace

void read_config_file(CLI::App& command) {
  command
      .add_option_function<std::string>(
          "--config",
          [&command](const std::string& file) {
            if (command.parsed()) apply(file, command);
          },
          "File of flags, such as max-context = 4096 a line")
      ->configurable(false);
  command.get_help_ptr()->configurable(false);
}

}  // namespace paro::cli
