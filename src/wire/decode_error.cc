#include "wire/decode_error.h"

#include <algorithm>
#include <cstdio>

namespace wirelap {
namespace {

struct Name {
  std::uint32_t number;
  const char* name;
};

// IANA, Protocol Numbers.
constexpr Name kIpProtocols[] = {{1, "ICMP"},     {2, "IGMP"},    {17, "UDP"},   {33, "DCCP"},    {46, "RSVP"},
                                 {50, "ESP"},     {58, "ICMPv6"}, {88, "EIGRP"}, {89, "OSPF"},    {103, "PIM"},
                                 {108, "IPComp"}, {112, "VRRP"},  {132, "SCTP"}, {136, "UDPLite"}};

// IANA, IEEE 802 Numbers.
constexpr Name kEtherTypes[] = {{0x0806, "ARP"},    {0x8035, "RARP"}, {0x8137, "IPX"},
                                {0x86dd, "IPv6"},   {0x8809, "LACP"}, {0x8863, "PPPoE discovery"},
                                {0x888e, "802.1X"}, {0x88cc, "LLDP"}, {0x88e5, "MACsec"},
                                {0x88f7, "PTP"},    {0x8902, "CFM"}};

// RFC 1661, section 2; IANA, PPP Numbers.
constexpr Name kPppProtocols[] = {{0xc021, "LCP"},
                                  {0xc023, "PAP"},
                                  {0xc223, "CHAP"},
                                  {0x8021, "IPCP"},
                                  {0x8057, "IPv6CP"},
                                  {0x80fd, "CCP"},
                                  {0x00fd, "compressed"},
                                  {0x0053, "encrypted"},
                                  {0x002d, "Van Jacobson compressed TCP"},
                                  {0x002f, "Van Jacobson uncompressed TCP"}};

constexpr Name kSaps[] = {{0x42, "spanning tree"}, {0xe0, "IPX"}, {0xf0, "NetBIOS"}, {0xfe, "OSI"}, {0xff, "IPX"}};

template <std::size_t kCount>
const char* find_name(const Name (&names)[kCount], std::uint32_t number) {
  for (const Name& known : names) {
    if (known.number == number) return known.name;
  }
  return nullptr;
}

/// Returns `number` in printf format `format`; where it has a name, "NAME (...)".
std::string numbered(const char* format, std::uint32_t number, const char* name) {
  char text[64];
  std::snprintf(text, sizeof text, format, number);
  return name == nullptr ? text : std::string(name) + " (" + text + ")";
}

/// Whether an error has a detail.
bool has_detail(DecodeError error) {
  switch (error) {
    case DecodeError::link_unknown:
    case DecodeError::not_ip:
    case DecodeError::not_ip_llc:
    case DecodeError::not_ip_ppp:
    case DecodeError::not_tcp: return true;
    default: return false;
  }
}

std::string various_details_text(DecodeError error) {
  switch (error) {
    case DecodeError::link_unknown: return "other link types, not decoded";
    case DecodeError::not_ip: return "other EtherTypes, not IP";
    case DecodeError::not_ip_llc: return "other LLC SAPs, not IP";
    case DecodeError::not_ip_ppp: return "other PPP protocols, not IP";
    default: return "other IP protocols";
  }
}

}  // namespace

std::string decode_error_text(DecodeError error, std::uint32_t detail) {
  if (detail == kVariousDetails && has_detail(error)) return various_details_text(error);
  switch (error) {
    case DecodeError::none: return "TCP";
    case DecodeError::link_unknown: return numbered("link type %u, not decoded", detail, nullptr);
    case DecodeError::link_truncated: return "truncated link header";
    case DecodeError::link_malformed: return "malformed link header";
    case DecodeError::not_ip:
      if (detail == 0) return "not IP";
      return numbered("EtherType 0x%04x, not IP", detail, find_name(kEtherTypes, detail));
    case DecodeError::not_ip_llc: return numbered("LLC SAP 0x%02x, not IP", detail, find_name(kSaps, detail));
    case DecodeError::not_ip_ppp:
      return numbered("PPP protocol 0x%04x, not IP", detail, find_name(kPppProtocols, detail));
    case DecodeError::wlan_no_data: return "802.11 management, control or empty frames";
    case DecodeError::wlan_encrypted: return "encrypted 802.11 frames";
    case DecodeError::wlan_fragment: return "802.11 fragments, not reassembled";
    case DecodeError::ip_truncated: return "truncated IP header";
    case DecodeError::ip_malformed: return "malformed IP header";
    case DecodeError::not_tcp: {
      const char* const name = find_name(kIpProtocols, detail);
      return name != nullptr ? name : numbered("IP protocol %u", detail, nullptr);
    }
    case DecodeError::fragment: return "IP fragments, reassembled with others";
    case DecodeError::fragment_incomplete: return "IP fragments of incomplete datagrams";
    case DecodeError::fragment_malformed: return "malformed IP fragments";
    case DecodeError::tunnel_truncated: return "truncated tunnel header";
    case DecodeError::tunnel_malformed: return "malformed tunnel header";
    case DecodeError::tunnel_control: return "tunnel control messages";
    case DecodeError::tunnel_unknown: return "tunnels with an unknown payload";
    case DecodeError::too_deep: return "too many nested headers or tunnels";
    case DecodeError::tcp_truncated: return "truncated TCP header";
    case DecodeError::tcp_malformed: return "malformed TCP header";
  }
  return {};
}

void DecodeErrorCounts::add(DecodeError error, std::uint32_t detail, std::uint64_t records) {
  if (records == 0) return;
  constexpr std::uint32_t kGolden = 0x9e3779b9;  // 2^32 / golden ratio: Fibonacci hashing
  for (std::size_t at = (detail * kGolden >> 16) + static_cast<std::size_t>(error);; ++at) {
    Count& count = by_detail_[at % kSlots];
    if (count.records == 0) {
      if (detail_count_ == kMaxDetails) break;
      ++detail_count_;
      count = {error, detail, 0};
    }
    if (count.error != error || count.detail != detail) continue;
    count.records += records;
    return;
  }
  various_[static_cast<std::size_t>(error)] += records;
}

std::uint64_t DecodeErrorCounts::total() const {
  std::uint64_t records = 0;
  for (const Count& count : by_detail_) records += count.records;
  for (const std::uint64_t count : various_) records += count;
  return records;
}

std::uint64_t DecodeErrorCounts::total(DecodeError error) const {
  std::uint64_t records = various_[static_cast<std::size_t>(error)];
  for (const Count& count : by_detail_) records += count.error == error ? count.records : 0;
  return records;
}

std::vector<DecodeErrorCounts::Count> DecodeErrorCounts::sorted() const {
  std::vector<Count> counts;
  for (const Count& count : by_detail_) {
    if (count.records != 0) counts.push_back(count);
  }
  for (int i = 0; i < kDecodeErrorCount; ++i) {
    const auto error = static_cast<DecodeError>(i);
    if (various_[static_cast<std::size_t>(i)] != 0)
      counts.push_back({error, kVariousDetails, various_[static_cast<std::size_t>(i)]});
  }
  std::stable_sort(counts.begin(), counts.end(), [](const Count& a, const Count& b) { return a.records > b.records; });
  return counts;
}

}  // namespace wirelap
