// h2: field blocks (HPACK, RFC 7541) of one direction.
//
// In: the field blocks of one sender in their order, each whole or cut off by a
// hole. Out: the fields that an exchange is told by. All others count in the
// dynamic table with their size alone.
//
// After a lost block the table is not known: what a later block takes from the
// part of it that was filled before is an unknown field, never a wrong one.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/bytes.h"
#include "base/memory.h"

namespace wirelap::h2 {

/// Fields with a place of their own (RFC 9113, section 8.3; gRPC).
enum class Field : std::uint8_t { method, authority, path, status, host, grpc_status, other };
inline constexpr std::size_t kFields = static_cast<std::size_t>(Field::other);

/// What a field's name says of it.
struct FieldName {
  Field field = Field::other;
  std::int16_t wanted = -1;  ///< its place among the wanted names
};

/// The fields of one section that are needed.
struct FieldSection {
  /// More than this of names, values and 32 bytes a field is not kept (RFC 9113, section 10.5.1).
  static constexpr std::size_t kMaxBytes = 64 * 1024;

  explicit FieldSection(std::pmr::memory_resource* memory = std::pmr::get_default_resource())
      : values{Text(memory), Text(memory), Text(memory), Text(memory), Text(memory), Text(memory)}, wanted(memory) {}

  std::array<Text, kFields> values;  ///< by Field; of a name that comes twice the first
  std::array<bool, kFields> has{};
  std::pmr::vector<std::optional<Text>> wanted;  ///< as in Exchange::headers; empty where none of them came
  bool unknown = false;                          ///< one field at least is not known

  const Text* find(Field field) const {
    const auto at = static_cast<std::size_t>(field);
    return has[at] ? &values[at] : nullptr;
  }
  /// As new, but for the memory of its strings.
  void clear();
};

/// Decodes one sender's field blocks.
class HpackDecoder {
 public:
  /// Initial size of the dynamic table (RFC 9113, section 6.5.2).
  static constexpr std::uint32_t kInitialTableBytes = 4096;
  /// A larger table is kept up to this size; what lies past it is unknown.
  static constexpr std::uint32_t kMaxTableBytes = 64 * 1024;
  /// Larger integers are errors (RFC 7541, section 5.1).
  static constexpr std::uint32_t kMaxInteger = (1U << 31) - 1;

  /// `wanted` are names in lower case; outlives the decoder. The table is kept in `memory`.
  explicit HpackDecoder(const std::vector<std::string>& wanted,
                        std::pmr::memory_resource* memory = std::pmr::get_default_resource())
      : wanted_(wanted), ring_(memory), name_scratch_(memory), value_scratch_(memory) {}

  /// Decodes a block into `section`, which is cleared before. False where it is
  /// malformed; what came before the error is in the section all the same, and
  /// the table is lost.
  bool decode(Bytes block, FieldSection& section);

  /// The same for the start of a block, whose rest is missing.
  void decode_cut(Bytes block, FieldSection& section);

  /// A block was not seen: what the table holds is not known any more.
  void lose();

  /// As new: the connection begins here.
  void begin_anew();

  /// Nothing of the table is unknown.
  bool is_exact() const { return exact_; }

  /// The other end allows a table of `bytes` (SETTINGS_HEADER_TABLE_SIZE).
  void allow_table(std::uint32_t bytes);

  /// Entries of the dynamic table that are known, and their size (RFC 7541, section 4.1).
  std::size_t entries() const { return count_; }
  std::uint64_t table_bytes() const { return table_bytes_; }
  /// About what it holds of memory.
  std::size_t held_bytes() const { return ring_.capacity() * sizeof(Entry) + static_cast<std::size_t>(table_bytes_); }

 private:
  /// An entry of the dynamic table.
  struct Entry {
    explicit Entry(std::pmr::memory_resource* memory) : value(memory) {}
    Text value;               // of a needed name alone
    std::uint32_t bytes = 0;  // its size in the table
    std::uint32_t name_bytes = 0;
    FieldName name;
    bool known = true;  // else its name stood in a lost part of the table
  };
  /// A name, found or read.
  struct NameRead {
    FieldName name;
    std::uint32_t bytes = 0;
    bool known = true;
  };

  enum class Result : std::uint8_t { good, malformed };

  Result decode_representation(Bytes& block, FieldSection& section, bool& may_resize);
  Result take_indexed(std::uint32_t index, FieldSection& section);
  Result take_literal(Bytes& block, std::uint32_t index, bool adds, FieldSection& section);
  Result resize(std::uint32_t bytes);
  bool find_name(std::uint32_t index, NameRead& name) const;
  bool read_string(Bytes& block, Text& scratch, std::string_view& text) const;
  FieldName identify(std::string_view name) const;
  void emit(const NameRead& name, std::string_view value, FieldSection& section);
  void add(const NameRead& name, std::string_view value);
  void evict_to(std::uint64_t bytes);
  void grow();
  Entry& entry(std::size_t position) { return ring_[(newest_ + position) & (ring_.size() - 1)]; }
  const Entry& entry(std::size_t position) const { return ring_[(newest_ + position) & (ring_.size() - 1)]; }

  const std::vector<std::string>& wanted_;
  std::pmr::vector<Entry> ring_;  // its size is a power of two
  std::size_t newest_ = 0;
  std::size_t count_ = 0;
  std::uint64_t table_bytes_ = 0;
  std::uint32_t capacity_ = kInitialTableBytes;  // as its sender has it
  std::uint32_t allowed_ = kInitialTableBytes;
  bool exact_ = true;
  Text name_scratch_, value_scratch_;
  std::uint64_t section_bytes_ = 0;
};

}  // namespace wirelap::h2
