// A strict checker of JSON (RFC 8259) that shares no code with the writers.
//
// It requires more than the grammar: UTF-8 without surrogates (RFC 3629), different
// names within an object, and at most kMaxDepth levels of nesting.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace wirelap::test {

class JsonChecker {
 public:
  /// Whether `text` is exactly one JSON value, with or without white space around it.
  static bool is_valid(std::string_view text) {
    JsonChecker checker(text);
    checker.skip_space();
    if (!checker.value(0)) return false;
    checker.skip_space();
    return checker.at_end();
  }

 private:
  static constexpr int kMaxDepth = 16;

  explicit JsonChecker(std::string_view text) : text_(text) {}

  bool at_end() const { return at_ == text_.size(); }
  unsigned char peek() const { return at_end() ? 0 : static_cast<unsigned char>(text_[at_]); }
  bool accept(char c) {
    if (at_end() || text_[at_] != c) return false;
    ++at_;
    return true;
  }
  bool accept(std::string_view word) {
    if (text_.substr(at_, word.size()) != word) return false;
    at_ += word.size();
    return true;
  }
  void skip_space() {
    while (!at_end() && is_space(text_[at_])) ++at_;
  }
  static bool is_space(char c) { return c == ' ' || c == '\t' || c == '\r' || c == '\n'; }

  bool value(int depth) {
    if (depth > kMaxDepth) return false;
    switch (peek()) {
      case '{': return object(depth);
      case '[': return array(depth);
      case '"': return string();
      case 't': return accept("true");
      case 'f': return accept("false");
      case 'n': return accept("null");
      default: return number();
    }
  }

  bool object(int depth) {
    std::vector<std::string_view> names;
    accept('{');
    skip_space();
    if (accept('}')) return true;
    do {
      skip_space();
      const std::size_t begin = at_;
      if (!string() || !add(names, text_.substr(begin, at_ - begin))) return false;
      skip_space();
      if (!accept(':')) return false;
      skip_space();
      if (!value(depth + 1)) return false;
      skip_space();
    } while (accept(','));
    return accept('}');
  }

  /// Returns false where `names` contains `name`. Objects are small: a linear search is faster than a set.
  static bool add(std::vector<std::string_view>& names, std::string_view name) {
    for (const std::string_view other : names) {
      if (other.size() == name.size() && other == name) return false;
    }
    names.push_back(name);
    return true;
  }

  bool array(int depth) {
    accept('[');
    skip_space();
    if (accept(']')) return true;
    do {
      skip_space();
      if (!value(depth + 1)) return false;
      skip_space();
    } while (accept(','));
    return accept(']');
  }

  bool digits() {
    const std::size_t begin = at_;
    while (peek() >= '0' && peek() <= '9') ++at_;
    return at_ != begin;
  }

  bool number() {
    accept('-');
    if (!accept('0') && !digits()) return false;
    if (accept('.') && !digits()) return false;
    if (!accept('e') && !accept('E')) return true;
    if (!accept('+')) accept('-');
    return digits();
  }

  bool string() {
    if (!accept('"')) return false;
    while (true) {
      skip_plain();
      if (accept('"')) return true;
      if (peek() < 0x20) return false;  // also at the end of the text
      if (!(peek() == '\\' ? escape() : character())) return false;
    }
  }

  /// Skips characters that need no check of their own.
  void skip_plain() {
    const auto is_plain = [](unsigned char c) { return c >= 0x20 && c < 0x80 && c != '"' && c != '\\'; };
    const char *at = text_.data() + at_, *const end = text_.data() + text_.size();
    while (at != end && is_plain(static_cast<unsigned char>(*at))) ++at;
    at_ = static_cast<std::size_t>(at - text_.data());
  }

  bool escape() {
    ++at_;
    if (!accept('u')) {
      const bool known = !at_end() && std::string_view("\"\\/bfnrt").find(text_[at_]) != std::string_view::npos;
      ++at_;
      return known;
    }
    std::uint32_t code = 0;
    if (!hex4(code)) return false;
    if (code >= 0xdc00 && code < 0xe000) return false;
    if (code < 0xd800 || code > 0xdbff) return true;
    return accept("\\u") && hex4(code) && code >= 0xdc00 && code < 0xe000;
  }

  bool hex4(std::uint32_t& code) {
    code = 0;
    for (int i = 0; i < 4; ++i, ++at_) {
      const std::size_t digit =
          at_end() ? std::string_view::npos : std::string_view("0123456789abcdefABCDEF").find(text_[at_]);
      if (digit == std::string_view::npos) return false;
      code = code << 4 | static_cast<std::uint32_t>(digit < 16 ? digit : digit - 6);
    }
    return true;
  }

  /// One character in UTF-8, in its shortest form.
  bool character() {
    const unsigned char first = peek();
    ++at_;
    if (first < 0x80) return true;
    const int more = first >= 0xf0 ? 3 : first >= 0xe0 ? 2 : 1;
    if (first < 0xc2 || first > 0xf4) return false;
    std::uint32_t code = first & (0x3fu >> more);
    for (int i = 0; i < more; ++i, ++at_) {
      if ((peek() & 0xc0) != 0x80) return false;
      code = code << 6 | (peek() & 0x3fu);
    }
    const std::uint32_t least = more == 3 ? 0x10000 : more == 2 ? 0x800 : 0x80;
    return code >= least && code <= 0x10ffff && (code < 0xd800 || code > 0xdfff);
  }

  std::string_view text_;
  std::size_t at_ = 0;
};

inline bool is_json(std::string_view text) { return JsonChecker::is_valid(text); }

}  // namespace wirelap::test
