#include "text/call_reader.h"

#include <utility>

namespace paro::text {
namespace {

void add(ChatDelta::Kind kind, std::string text, std::vector<ChatDelta>& deltas) {
  if (!text.empty()) deltas.push_back({kind, std::move(text)});
}

}  // namespace

std::string_view CallReader::push(std::string_view text, std::vector<ChatDelta>& deltas) {
  if (state_ == State::undecided) held_ += text;
  std::string_view rest = text;
  while (!rest.empty() && (state_ == State::undecided || state_ == State::started)) rest = read(rest);

  switch (state_) {
    case State::undecided:
      return {};
    case State::none:
      add(ChatDelta::Kind::content, held_.empty() ? std::string(text) : std::exchange(held_, {}), deltas);
      return {};
    case State::broken:
      end(false, deltas);
      return {};
    case State::started:
      tell(deltas);
      return {};
    case State::complete:
      end(true, deltas);
      return rest;
  }
  return {};
}

void CallReader::finish(Ending ending, std::vector<ChatDelta>& deltas) {
  if (state_ == State::undecided) {
    state_ = State::none;
    add(ChatDelta::Kind::content, std::exchange(held_, {}), deltas);
  } else if (state_ == State::started) {
    const bool is_complete = is_complete_at(ending);
    state_ = is_complete ? State::complete : State::broken;
    end(is_complete, deltas);
  }
}

void CallReader::start(std::string_view name) {
  if (state_ != State::undecided) return;
  state_ = State::started;
  name_ = name;
  held_.clear();
}

void CallReader::complete() {
  if (state_ == State::started) state_ = State::complete;
}

void CallReader::fail() {
  if (state_ == State::undecided) state_ = State::none;
  if (state_ == State::started) state_ = State::broken;
}

void CallReader::tell(std::vector<ChatDelta>& deltas) {
  if (!std::exchange(told_name_, true)) deltas.push_back({ChatDelta::Kind::call_started, std::move(name_)});
  add(ChatDelta::Kind::call_arguments, arguments_.take(), deltas);
}

void CallReader::end(bool is_complete, std::vector<ChatDelta>& deltas) {
  if (std::exchange(told_end_, true)) return;
  arguments_.close();
  tell(deltas);
  deltas.push_back({ChatDelta::Kind::call_ended, {}, is_complete});
}

}  // namespace paro::text
