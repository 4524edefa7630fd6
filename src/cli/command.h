// What a command is to main.cpp: flags and a run. One file for each, named after it.
#pragma once

#include <CLI/App.hpp>
#include <memory>

namespace paro::cli {

class Command {
 public:
  virtual ~Command() = default;
  virtual void add_flags(CLI::App& app) = 0;  // they are bound to members
  virtual int run() = 0;                      // the exit code; errors are thrown
};

std::unique_ptr<Command> make_bench();
std::unique_ptr<Command> make_chat();
std::unique_ptr<Command> make_generate();
std::unique_ptr<Command> make_inspect();
std::unique_ptr<Command> make_logits();
std::unique_ptr<Command> make_plan();
std::unique_ptr<Command> make_pull();
std::unique_ptr<Command> make_serve();
std::unique_ptr<Command> make_synth();

}  // namespace paro::cli
