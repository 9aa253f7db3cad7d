// h2: decodes the field blocks of one direction (HPACK, RFC 7541).
//
// In: the field blocks of one sender in their order, each complete or cut off by a
// sequence gap. Out: the fields that a record needs. Of all other fields only the
// size is kept, as the size of their entry in the dynamic table.
//
// After a block that was not captured, the older entries of the dynamic table are
// not known. A later field that refers to one of them is unknown, and never wrong.
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

/// The fields that every exchange needs (RFC 9113, section 8.3; gRPC). `other`: any other field.
enum class Field : std::uint8_t { method, authority, path, status, host, grpc_status, other };
inline constexpr std::size_t kFields = static_cast<std::size_t>(Field::other);

/// Which of the needed fields a name is.
struct FieldName {
  Field field = Field::other;
  std::int16_t wanted = -1;  ///< index in the list of wanted names; -1: it is not in the list
};

/// The needed fields of one field section.
struct FieldSection {
  /// Fields past this size are not kept. Each counts its name, its value and 32 bytes (RFC 9113, section 10.5.1).
  static constexpr std::size_t kMaxBytes = 64 * 1024;

  explicit FieldSection(std::pmr::memory_resource* memory = std::pmr::get_default_resource())
      : values{Text(memory), Text(memory), Text(memory), Text(memory), Text(memory), Text(memory)}, wanted(memory) {}

  std::array<Text, kFields> values;  ///< by Field; where a name is repeated, its first value
  std::array<bool, kFields> has{};
  std::pmr::vector<std::optional<Text>> wanted;  ///< as in Exchange::headers; empty where no wanted field came
  bool has_unknown = false;                      ///< at least one field could not be decoded

  /// The value of a field; null where the section does not have it.
  const Text* find(Field field) const {
    const auto at = static_cast<std::size_t>(field);
    return has[at] ? &values[at] : nullptr;
  }
  /// Removes all fields. Short strings keep their memory.
  void clear();
};

/// Decodes the field blocks of one sender.
class HpackDecoder {
 public:
  /// Initial maximum size of the dynamic table (RFC 9113, section 6.5.2).
  static constexpr std::uint32_t kInitialTableBytes = 4096;
  /// Of a larger dynamic table this much is kept. Older entries are unknown.
  static constexpr std::uint32_t kMaxTableBytes = 64 * 1024;
  /// Larger integers are errors (RFC 7541, section 5.1).
  static constexpr std::uint32_t kMaxInteger = (1U << 31) - 1;

  /// `wanted`: names of further needed fields, in lower case. It outlives the decoder. The dynamic table is in
  /// `memory`.
  explicit HpackDecoder(const std::vector<std::string>& wanted,
                        std::pmr::memory_resource* memory = std::pmr::get_default_resource())
      : wanted_(wanted), ring_(memory), name_scratch_(memory), value_scratch_(memory) {}

  /// Replaces the content of `section` by the fields of `block`. Returns false where the block is malformed. The
  /// section then has the fields before the error, and the dynamic table is forgotten.
  bool decode(Bytes block, FieldSection& section);

  /// Does the same with the beginning of a block whose rest was not captured. Forgets the dynamic table.
  void decode_prefix(Bytes block, FieldSection& section);

  /// Forgets the dynamic table, after a block that was not captured.
  void forget_table();

  /// Empties the dynamic table, as at the beginning of a connection.
  void reset_table();

  /// Whether all entries of the dynamic table are known.
  bool is_table_known() const { return table_known_; }

  /// Records that the receiver allows a dynamic table of `bytes` (SETTINGS_HEADER_TABLE_SIZE). The limit never goes
  /// down.
  void allow_table(std::uint32_t bytes);

  /// Number of known entries of the dynamic table.
  std::size_t entries() const { return count_; }
  /// Their size in bytes (RFC 7541, section 4.1).
  std::uint64_t table_bytes() const { return table_bytes_; }
  /// Approximate memory that the decoder holds, in bytes.
  std::size_t held_bytes() const { return ring_.capacity() * sizeof(Entry) + static_cast<std::size_t>(table_bytes_); }

 private:
  /// An entry of the dynamic table.
  struct Entry {
    explicit Entry(std::pmr::memory_resource* memory) : value(memory) {}
    Text value;               // empty unless the field is needed
    std::uint32_t bytes = 0;  // its size in the table
    std::uint32_t name_bytes = 0;
    FieldName name;
    bool name_known = true;  // false: the name referred to an unknown entry
  };
  /// A name, from a table or from the block.
  struct DecodedName {
    FieldName name;
    std::uint32_t bytes = 0;
    bool known = true;
  };

  enum class Result : std::uint8_t { good, malformed };

  Result decode_representation(Bytes& block, FieldSection& section, bool& may_resize);
  Result decode_indexed(std::uint32_t index, FieldSection& section);
  Result decode_literal(Bytes& block, std::uint32_t index, bool is_added, FieldSection& section);
  Result resize_table(std::uint32_t bytes);
  bool find_name(std::uint32_t index, DecodedName& name) const;
  bool decode_string(Bytes& block, Text& scratch, std::string_view& text) const;
  FieldName identify(std::string_view name) const;
  void add_field(const DecodedName& name, std::string_view value, FieldSection& section);
  void add_entry(const DecodedName& name, std::string_view value);
  void evict_to(std::uint64_t bytes);
  void grow_ring();
  Entry& entry(std::size_t position) { return ring_[(newest_ + position) & (ring_.size() - 1)]; }
  const Entry& entry(std::size_t position) const { return ring_[(newest_ + position) & (ring_.size() - 1)]; }

  const std::vector<std::string>& wanted_;
  std::pmr::vector<Entry> ring_;  // the dynamic table; the size of the ring is a power of two
  std::size_t newest_ = 0;        // place of the newest entry in the ring
  std::size_t count_ = 0;
  std::uint64_t table_bytes_ = 0;
  std::uint32_t max_table_bytes_ = kInitialTableBytes;      // that the sender has chosen (section 4.2)
  std::uint32_t allowed_table_bytes_ = kInitialTableBytes;  // that the receiver allows
  bool table_known_ = true;
  Text name_scratch_, value_scratch_;
  std::uint64_t section_bytes_ = 0;
};

}  // namespace wirelap::h2
