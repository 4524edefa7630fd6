// Reads an object as it comes, its text cut anywhere, in JSON's notation or in one that quotes and spells otherwise.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

#include "text/value_events.h"

namespace paro::text {

struct ObjectNotation {
  char quote;
  bool has_escapes;       // in strings, as in JSON; an escape that JSON lacks stands for itself
  bool has_bare_strings;  // keys need no quotes; a value without is a number, true, false, null, else a string
};

inline constexpr ObjectNotation kJsonNotation{'"', true, false};

class ObjectScanner {
 public:
  enum class State { reading, complete, malformed };

  // `events` outlive the scanner.
  ObjectScanner(const ObjectNotation& notation, ValueEvents& events) : notation_(notation), events_(events) {}

  // Returns what follows the object; nothing while there is more to read, or when it is malformed.
  std::string_view push(std::string_view text);

  State state() const { return state_; }

 private:
  enum class Expects { root, value, value_or_end, key, key_or_end, colon, comma_or_end, bare, string, escape, unicode };

  size_t read(std::string_view text);  // bytes that were read; 0 when only the state changed
  size_t read_structure(char c);
  size_t read_string(std::string_view text);
  size_t read_escape(char c);
  void read_unicode(char c);
  size_t read_bare(std::string_view text);

  size_t begin_value(char c);
  size_t begin_key(char c);
  void begin(char opener);
  void end(char closer);
  void end_string();
  void end_bare();
  void put(std::string_view text);
  void put_code(char32_t code);
  void put_lone_surrogate();
  void fail() { state_ = State::malformed; }

  const ObjectNotation notation_;
  ValueEvents& events_;
  State state_ = State::reading;
  Expects expects_ = Expects::root;
  std::string open_;     // '{' and '[' of what is open
  bool in_key_ = false;  // the string or bare word is one
  std::string word_;     // a key, or a value without quotes, so far
  char32_t code_ = 0;    // of a \u escape, so far
  int n_digits_ = 0;     // of it
  char32_t high_ = 0;    // a surrogate that waits for its other half
};

}  // namespace paro::text
