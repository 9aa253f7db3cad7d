#include "app/h2/hpack.h"

#include <algorithm>
#include <utility>

#include "app/h2/huffman.h"

namespace wirelap::h2 {
namespace {

/// What each entry of the dynamic table counts in addition to its name and value (RFC 7541, section 4.1).
constexpr std::uint32_t kEntryOverhead = 32;

/// Empties `text`. Releases its memory if that is more than `max_kept` bytes.
void clear_text(Text& text, std::size_t max_kept) {
  if (text.capacity() > max_kept) {
    release(text);
  } else {
    text.clear();
  }
}

constexpr std::size_t kMaxKeptTextBytes = 1024;

struct StaticEntry {
  std::string_view name, value;
};

/// RFC 7541, appendix A. The first entry has index 1.
constexpr StaticEntry kStatic[] = {
    {":authority", ""},
    {":method", "GET"},
    {":method", "POST"},
    {":path", "/"},
    {":path", "/index.html"},
    {":scheme", "http"},
    {":scheme", "https"},
    {":status", "200"},
    {":status", "204"},
    {":status", "206"},
    {":status", "304"},
    {":status", "400"},
    {":status", "404"},
    {":status", "500"},
    {"accept-charset", ""},
    {"accept-encoding", "gzip, deflate"},
    {"accept-language", ""},
    {"accept-ranges", ""},
    {"accept", ""},
    {"access-control-allow-origin", ""},
    {"age", ""},
    {"allow", ""},
    {"authorization", ""},
    {"cache-control", ""},
    {"content-disposition", ""},
    {"content-encoding", ""},
    {"content-language", ""},
    {"content-length", ""},
    {"content-location", ""},
    {"content-range", ""},
    {"content-type", ""},
    {"cookie", ""},
    {"date", ""},
    {"etag", ""},
    {"expect", ""},
    {"expires", ""},
    {"from", ""},
    {"host", ""},
    {"if-match", ""},
    {"if-modified-since", ""},
    {"if-none-match", ""},
    {"if-range", ""},
    {"if-unmodified-since", ""},
    {"last-modified", ""},
    {"link", ""},
    {"location", ""},
    {"max-forwards", ""},
    {"proxy-authenticate", ""},
    {"proxy-authorization", ""},
    {"range", ""},
    {"referer", ""},
    {"refresh", ""},
    {"retry-after", ""},
    {"server", ""},
    {"set-cookie", ""},
    {"strict-transport-security", ""},
    {"transfer-encoding", ""},
    {"user-agent", ""},
    {"vary", ""},
    {"via", ""},
    {"www-authenticate", ""},
};
constexpr std::uint32_t kStaticEntries = sizeof kStatic / sizeof kStatic[0];
static_assert(kStaticEntries == 61);

/// By Field.
constexpr std::string_view kNames[kFields] = {":method", ":authority", ":path", ":status", "host", "grpc-status"};

/// Decodes an integer whose first byte contains `prefix_bits` of it (section 5.1), and removes it from `block`.
bool decode_integer(Bytes& block, int prefix_bits, std::uint32_t& value) {
  const std::uint32_t max_in_prefix = (1U << prefix_bits) - 1;
  value = block[0] & max_in_prefix;
  block = block.subspan(1);
  if (value < max_in_prefix) return true;
  std::uint64_t sum = max_in_prefix;
  for (int shift = 0; shift <= 28 && !block.empty(); shift += 7) {
    const std::uint8_t byte = block[0];
    block = block.subspan(1);
    sum += std::uint64_t{byte & 0x7fU} << shift;
    if ((byte & 0x80) != 0) continue;
    value = static_cast<std::uint32_t>(sum);
    return sum <= HpackDecoder::kMaxInteger;
  }
  return false;
}

}  // namespace

void FieldSection::clear() {
  for (Text& value : values) clear_text(value, kMaxKeptTextBytes);
  has.fill(false);
  wanted.clear();
  has_unknown = false;
}

bool HpackDecoder::decode(Bytes block, FieldSection& section) {
  section.clear();
  section_bytes_ = 0;
  bool may_resize = true;
  Result result = Result::good;
  while (!block.empty() && result == Result::good) result = decode_representation(block, section, may_resize);
  clear_text(name_scratch_, kMaxKeptTextBytes);
  clear_text(value_scratch_, kMaxKeptTextBytes);
  if (result == Result::malformed) forget_table();
  return result == Result::good;
}

void HpackDecoder::decode_prefix(Bytes block, FieldSection& section) {
  decode(block, section);
  forget_table();
}

void HpackDecoder::forget_table() {
  evict_to(0);
  table_known_ = false;
  // The block may have contained a size update.
  max_table_bytes_ = kMaxTableBytes;
  allowed_table_bytes_ = kMaxInteger;
}

void HpackDecoder::reset_table() {
  evict_to(0);
  table_known_ = true;
  max_table_bytes_ = allowed_table_bytes_ = kInitialTableBytes;
}

void HpackDecoder::allow_table(std::uint32_t bytes) { allowed_table_bytes_ = std::max(allowed_table_bytes_, bytes); }

/// RFC 7541, section 6. A size update may only come at the beginning of a block (section 4.2).
HpackDecoder::Result HpackDecoder::decode_representation(Bytes& block, FieldSection& section, bool& may_resize) {
  const std::uint8_t first = block[0];
  std::uint32_t value = 0;
  if ((first & 0x80) != 0) {
    may_resize = false;
    return decode_integer(block, 7, value) ? decode_indexed(value, section) : Result::malformed;
  }
  if ((first & 0xe0) == 0x20) {
    return may_resize && decode_integer(block, 5, value) ? resize_table(value) : Result::malformed;
  }
  may_resize = false;
  const bool is_added = (first & 0x40) != 0;
  return decode_integer(block, is_added ? 6 : 4, value) ? decode_literal(block, value, is_added, section)
                                                        : Result::malformed;
}

HpackDecoder::Result HpackDecoder::decode_indexed(std::uint32_t index, FieldSection& section) {
  DecodedName name;
  if (index == 0 || !find_name(index, name)) return Result::malformed;
  std::string_view value;
  if (index <= kStaticEntries) {
    value = kStatic[index - 1].value;
  } else if (name.known) {
    value = entry(index - kStaticEntries - 1).value;
  }
  add_field(name, value, section);
  return Result::good;
}

HpackDecoder::Result HpackDecoder::decode_literal(Bytes& block, std::uint32_t index, bool is_added,
                                                  FieldSection& section) {
  DecodedName name;
  if (index == 0) {
    std::string_view text;
    if (!decode_string(block, name_scratch_, text)) return Result::malformed;
    name = {identify(text), static_cast<std::uint32_t>(text.size()), true};
  } else if (!find_name(index, name)) {
    return Result::malformed;
  }
  std::string_view value;
  if (!decode_string(block, value_scratch_, value)) return Result::malformed;
  add_field(name, value, section);
  if (is_added) add_entry(name, value);
  return Result::good;
}

HpackDecoder::Result HpackDecoder::resize_table(std::uint32_t bytes) {
  if (table_known_ && bytes > allowed_table_bytes_) return Result::malformed;
  max_table_bytes_ = bytes;
  evict_to(std::min(max_table_bytes_, kMaxTableBytes));
  // This evicts the unknown entries, too.
  if (bytes == 0) table_known_ = true;
  return Result::good;
}

/// Finds the name of the entry at `index` of both tables (section 2.3.3). Returns false where there is no such entry.
bool HpackDecoder::find_name(std::uint32_t index, DecodedName& name) const {
  if (index <= kStaticEntries) {
    const std::string_view text = kStatic[index - 1].name;
    name = {identify(text), static_cast<std::uint32_t>(text.size()), true};
    return true;
  }
  const std::size_t position = index - kStaticEntries - 1;
  if (position < count_) {
    const Entry& found = entry(position);
    name = {found.name, found.name_bytes, found.name_known};
    return true;
  }
  name = {{}, 0, false};
  return !table_known_;
}

/// Decodes a string (section 5.2), and removes it from `block`. `text` points into the block or into `scratch`.
bool HpackDecoder::decode_string(Bytes& block, Text& scratch, std::string_view& text) const {
  if (block.empty()) return false;
  const bool huffman = (block[0] & 0x80) != 0;
  std::uint32_t length = 0;
  if (!decode_integer(block, 7, length) || length > block.size()) return false;
  const Bytes bytes = block.first(length);
  block = block.subspan(length);
  text = as_text(bytes);
  if (!huffman) return true;
  scratch.clear();
  if (!decode_huffman(bytes, scratch)) return false;
  text = scratch;
  return true;
}

FieldName HpackDecoder::identify(std::string_view name) const {
  FieldName found;
  for (std::size_t i = 0; i < kFields; ++i) {
    if (kNames[i] == name) found.field = static_cast<Field>(i);
  }
  for (std::size_t i = 0; i < wanted_.size(); ++i) {
    if (wanted_[i] == name) found.wanted = static_cast<std::int16_t>(i);
  }
  return found;
}

void HpackDecoder::add_field(const DecodedName& name, std::string_view value, FieldSection& section) {
  if (!name.known) {
    section.has_unknown = true;
    return;
  }
  section_bytes_ += name.bytes + value.size() + kEntryOverhead;
  if (section_bytes_ > FieldSection::kMaxBytes) return;
  const auto at = static_cast<std::size_t>(name.name.field);
  if (at < kFields && !section.has[at]) {
    section.has[at] = true;
    section.values[at].assign(value);
  }
  if (name.name.wanted < 0) return;
  section.wanted.resize(wanted_.size());
  std::optional<Text>& kept = section.wanted[static_cast<std::size_t>(name.name.wanted)];
  if (!kept) {
    kept.emplace(value, section.wanted.get_allocator());
  } else {
    // Repeated fields are joined (RFC 9110, section 5.3), and so are the parts of a cookie (RFC 9113, section 8.2.3).
    const bool cookie = wanted_[static_cast<std::size_t>(name.name.wanted)] == "cookie";
    kept->append(cookie ? "; " : ", ").append(value);
  }
}

/// Adds an entry to the dynamic table. One that is larger than the table empties it (section 4.4).
void HpackDecoder::add_entry(const DecodedName& name, std::string_view value) {
  const std::uint64_t bytes = std::uint64_t{name.bytes} + value.size() + kEntryOverhead;
  const std::uint64_t room = std::min(max_table_bytes_, kMaxTableBytes);
  // The sender keeps an entry that is evicted here.
  if (max_table_bytes_ > kMaxTableBytes && table_bytes_ + bytes > room) table_known_ = false;
  evict_to(room < bytes ? 0 : room - bytes);
  if (bytes > room) return;
  if (count_ == ring_.size()) grow_ring();
  newest_ = (newest_ - 1) & (ring_.size() - 1);
  ++count_;
  table_bytes_ += bytes;
  Entry& added = entry(0);
  added.bytes = static_cast<std::uint32_t>(bytes);
  added.name_bytes = name.bytes;
  added.name = name.name;
  added.name_known = name.known;
  const bool needed = name.name.field != Field::other || name.name.wanted >= 0;
  added.value.assign(needed ? value : std::string_view());
}

void HpackDecoder::evict_to(std::uint64_t bytes) {
  while (table_bytes_ > bytes) {
    constexpr std::size_t kMaxKeptValueBytes = 64;
    Entry& oldest = entry(--count_);
    table_bytes_ -= oldest.bytes;
    clear_text(oldest.value, kMaxKeptValueBytes);
  }
}

void HpackDecoder::grow_ring() {
  constexpr std::size_t kFirstSize = 16;
  const std::size_t size = std::max(kFirstSize, ring_.size() * 2);
  std::pmr::vector<Entry> larger(ring_.get_allocator());
  larger.reserve(size);
  for (std::size_t i = 0; i < count_; ++i) larger.push_back(std::move(entry(i)));
  while (larger.size() < size) larger.emplace_back(ring_.get_allocator().resource());
  ring_.swap(larger);
  newest_ = 0;
}

}  // namespace wirelap::h2
