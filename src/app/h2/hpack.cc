#include "app/h2/hpack.h"

#include <algorithm>
#include <utility>

#include "app/h2/huffman.h"

namespace wirelap::h2 {
namespace {

constexpr std::uint32_t kEntryOverhead = 32;  // RFC 7541, section 4.1

/// Empties `text` and keeps its memory for later, where that is little.
void empty(Text& text, std::size_t most) {
  if (text.capacity() > most) {
    release(text);
  } else {
    text.clear();
  }
}

constexpr std::size_t kMostKept = 1024;

struct StaticEntry {
  std::string_view name, value;
};

/// RFC 7541, appendix A; index 1 is the first.
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

/// Reads an integer whose first byte has `prefix_bits` of it (section 5.1).
bool read_integer(Bytes& block, int prefix_bits, std::uint32_t& value) {
  const std::uint32_t most = (1U << prefix_bits) - 1;
  value = block[0] & most;
  block = block.subspan(1);
  if (value < most) return true;
  std::uint64_t sum = most;
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
  for (Text& value : values) empty(value, kMostKept);
  has.fill(false);
  wanted.clear();
  unknown = false;
}

bool HpackDecoder::decode(Bytes block, FieldSection& section) {
  section.clear();
  section_bytes_ = 0;
  bool may_resize = true;
  Result result = Result::good;
  while (!block.empty() && result == Result::good) result = decode_representation(block, section, may_resize);
  empty(name_scratch_, kMostKept);
  empty(value_scratch_, kMostKept);
  if (result == Result::malformed) lose();
  return result == Result::good;
}

void HpackDecoder::decode_cut(Bytes block, FieldSection& section) {
  decode(block, section);
  lose();
}

void HpackDecoder::lose() {
  evict_to(0);
  exact_ = false;
  capacity_ = kMaxTableBytes;  // it may have been changed
  allowed_ = kMaxInteger;
}

void HpackDecoder::begin_anew() {
  evict_to(0);
  exact_ = true;
  capacity_ = allowed_ = kInitialTableBytes;
}

void HpackDecoder::allow_table(std::uint32_t bytes) { allowed_ = std::max(allowed_, bytes); }

/// RFC 7541, section 6. A size is changed only where a block begins (4.2).
HpackDecoder::Result HpackDecoder::decode_representation(Bytes& block, FieldSection& section, bool& may_resize) {
  const std::uint8_t first = block[0];
  std::uint32_t value = 0;
  if ((first & 0x80) != 0) {
    may_resize = false;
    return read_integer(block, 7, value) ? take_indexed(value, section) : Result::malformed;
  }
  if ((first & 0xe0) == 0x20) {
    return may_resize && read_integer(block, 5, value) ? resize(value) : Result::malformed;
  }
  may_resize = false;
  const bool adds = (first & 0x40) != 0;
  return read_integer(block, adds ? 6 : 4, value) ? take_literal(block, value, adds, section) : Result::malformed;
}

HpackDecoder::Result HpackDecoder::take_indexed(std::uint32_t index, FieldSection& section) {
  NameRead name;
  if (index == 0 || !find_name(index, name)) return Result::malformed;
  std::string_view value;
  if (index <= kStaticEntries) {
    value = kStatic[index - 1].value;
  } else if (name.known) {
    value = entry(index - kStaticEntries - 1).value;
  }
  emit(name, value, section);
  return Result::good;
}

HpackDecoder::Result HpackDecoder::take_literal(Bytes& block, std::uint32_t index, bool adds, FieldSection& section) {
  NameRead name;
  if (index == 0) {
    std::string_view text;
    if (!read_string(block, name_scratch_, text)) return Result::malformed;
    name = {identify(text), static_cast<std::uint32_t>(text.size()), true};
  } else if (!find_name(index, name)) {
    return Result::malformed;
  }
  std::string_view value;
  if (!read_string(block, value_scratch_, value)) return Result::malformed;
  emit(name, value, section);
  if (adds) add(name, value);
  return Result::good;
}

HpackDecoder::Result HpackDecoder::resize(std::uint32_t bytes) {
  if (exact_ && bytes > allowed_) return Result::malformed;
  capacity_ = bytes;
  evict_to(std::min(capacity_, kMaxTableBytes));
  // What was not known has been evicted.
  if (bytes == 0) exact_ = true;
  return Result::good;
}

/// The name at `index`; false where there is none.
bool HpackDecoder::find_name(std::uint32_t index, NameRead& name) const {
  if (index <= kStaticEntries) {
    const std::string_view text = kStatic[index - 1].name;
    name = {identify(text), static_cast<std::uint32_t>(text.size()), true};
    return true;
  }
  const std::size_t position = index - kStaticEntries - 1;
  if (position < count_) {
    const Entry& found = entry(position);
    name = {found.name, found.name_bytes, found.known};
    return true;
  }
  name = {{}, 0, false};
  return !exact_;
}

/// Section 5.2. `text` points into the block or into `scratch`.
bool HpackDecoder::read_string(Bytes& block, Text& scratch, std::string_view& text) const {
  if (block.empty()) return false;
  const bool huffman = (block[0] & 0x80) != 0;
  std::uint32_t length = 0;
  if (!read_integer(block, 7, length) || length > block.size()) return false;
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

void HpackDecoder::emit(const NameRead& name, std::string_view value, FieldSection& section) {
  if (!name.known) {
    section.unknown = true;
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
    // RFC 9110, section 5.3; a cookie's pieces: RFC 9113, section 8.2.3.
    const bool cookie = wanted_[static_cast<std::size_t>(name.name.wanted)] == "cookie";
    kept->append(cookie ? "; " : ", ").append(value);
  }
}

/// Section 4.4: an entry larger than the table empties it.
void HpackDecoder::add(const NameRead& name, std::string_view value) {
  const std::uint64_t bytes = std::uint64_t{name.bytes} + value.size() + kEntryOverhead;
  const std::uint64_t room = std::min(capacity_, kMaxTableBytes);
  // In a table larger than what is kept of it more is there than is known.
  if (capacity_ > kMaxTableBytes && table_bytes_ + bytes > room) exact_ = false;
  evict_to(room < bytes ? 0 : room - bytes);
  if (bytes > room) return;
  if (count_ == ring_.size()) grow();
  newest_ = (newest_ - 1) & (ring_.size() - 1);
  ++count_;
  table_bytes_ += bytes;
  Entry& added = entry(0);
  added.bytes = static_cast<std::uint32_t>(bytes);
  added.name_bytes = name.bytes;
  added.name = name.name;
  added.known = name.known;
  const bool needed = name.name.field != Field::other || name.name.wanted >= 0;
  added.value.assign(needed ? value : std::string_view());
}

void HpackDecoder::evict_to(std::uint64_t bytes) {
  while (table_bytes_ > bytes) {
    constexpr std::size_t kMostKeptEvicted = 64;
    Entry& oldest = entry(--count_);
    table_bytes_ -= oldest.bytes;
    empty(oldest.value, kMostKeptEvicted);
  }
}

void HpackDecoder::grow() {
  constexpr std::size_t kFirst = 16;
  const std::size_t size = std::max(kFirst, ring_.size() * 2);
  std::pmr::vector<Entry> larger(ring_.get_allocator());
  larger.reserve(size);
  for (std::size_t i = 0; i < count_; ++i) larger.push_back(std::move(entry(i)));
  while (larger.size() < size) larger.emplace_back(ring_.get_allocator().resource());
  ring_.swap(larger);
  newest_ = 0;
}

}  // namespace wirelap::h2
