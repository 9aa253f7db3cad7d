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

/// `format` with `number` in it, and `name` behind where there is one.
std::string numbered(const char* format, std::uint32_t number, const char* name) {
  char text[64];
  std::snprintf(text, sizeof text, format, number);
  return name == nullptr ? text : std::string(name) + " (" + text + ")";
}

/// True for the reasons that are about a number.
bool has_number(DecodeError stop) {
  switch (stop) {
    case DecodeError::link_unknown:
    case DecodeError::not_ip:
    case DecodeError::not_ip_llc:
    case DecodeError::not_ip_ppp:
    case DecodeError::not_tcp: return true;
    default: return false;
  }
}

std::string describe_various(DecodeError stop) {
  switch (stop) {
    case DecodeError::link_unknown: return "other link types, not decoded";
    case DecodeError::not_ip: return "other EtherTypes, not IP";
    case DecodeError::not_ip_llc: return "other LLC SAPs, not IP";
    case DecodeError::not_ip_ppp: return "other PPP protocols, not IP";
    default: return "other IP protocols";
  }
}

}  // namespace

std::string decode_error_text(DecodeError stop, std::uint32_t about) {
  if (about == kVariousDetails && has_number(stop)) return describe_various(stop);
  switch (stop) {
    case DecodeError::none: return "TCP";
    case DecodeError::link_unknown: return numbered("link type %u, not decoded", about, nullptr);
    case DecodeError::link_truncated: return "cut inside the link header";
    case DecodeError::link_malformed: return "broken link header";
    case DecodeError::not_ip:
      if (about == 0) return "not IP";
      return numbered("EtherType 0x%04x, not IP", about, find_name(kEtherTypes, about));
    case DecodeError::not_ip_llc: return numbered("LLC SAP 0x%02x, not IP", about, find_name(kSaps, about));
    case DecodeError::not_ip_ppp:
      return numbered("PPP protocol 0x%04x, not IP", about, find_name(kPppProtocols, about));
    case DecodeError::wlan_no_data: return "802.11 management, control or empty frames";
    case DecodeError::wlan_encrypted: return "encrypted 802.11 frames";
    case DecodeError::wlan_fragment: return "802.11 fragments, not put together";
    case DecodeError::ip_truncated: return "cut inside the IP header";
    case DecodeError::ip_malformed: return "broken IP header";
    case DecodeError::not_tcp: {
      const char* const name = find_name(kIpProtocols, about);
      return name != nullptr ? name : numbered("IP protocol %u", about, nullptr);
    }
    case DecodeError::fragment: return "IP fragments, put together with others";
    case DecodeError::fragment_incomplete: return "IP fragments whose datagram never came whole";
    case DecodeError::fragment_malformed: return "broken IP fragments";
    case DecodeError::tunnel_truncated: return "cut inside a tunnel's header";
    case DecodeError::tunnel_malformed: return "broken tunnel header";
    case DecodeError::tunnel_control: return "tunnels' own messages";
    case DecodeError::tunnel_unknown: return "tunnels with unknown content";
    case DecodeError::too_deep: return "too many headers or tunnels, one in another";
    case DecodeError::tcp_truncated: return "cut inside the TCP header";
    case DecodeError::tcp_malformed: return "broken TCP header";
  }
  return {};
}

void DecodeErrorCounts::add(DecodeError stop, std::uint32_t about, std::uint64_t frames) {
  if (frames == 0) return;
  constexpr std::uint32_t kGolden = 0x9e3779b9;
  for (std::size_t at = (about * kGolden >> 16) + static_cast<std::size_t>(stop);; ++at) {
    Count& count = numbered_[at % kPlaces];
    if (count.records == 0) {
      if (numbers_ == kMostNumbers) break;
      ++numbers_;
      count = {stop, about, 0};
    }
    if (count.error != stop || count.detail != about) continue;
    count.records += frames;
    return;
  }
  various_[static_cast<std::size_t>(stop)] += frames;
}

std::uint64_t DecodeErrorCounts::total() const {
  std::uint64_t frames = 0;
  for (const Count& count : numbered_) frames += count.records;
  for (const std::uint64_t count : various_) frames += count;
  return frames;
}

std::uint64_t DecodeErrorCounts::total(DecodeError stop) const {
  std::uint64_t frames = various_[static_cast<std::size_t>(stop)];
  for (const Count& count : numbered_) frames += count.error == stop ? count.records : 0;
  return frames;
}

std::vector<DecodeErrorCounts::Count> DecodeErrorCounts::sorted() const {
  std::vector<Count> counts;
  for (const Count& count : numbered_) {
    if (count.records != 0) counts.push_back(count);
  }
  for (int i = 0; i < kDecodeErrorCount; ++i) {
    const auto stop = static_cast<DecodeError>(i);
    if (various_[static_cast<std::size_t>(i)] != 0)
      counts.push_back({stop, kVariousDetails, various_[static_cast<std::size_t>(i)]});
  }
  std::stable_sort(counts.begin(), counts.end(), [](const Count& a, const Count& b) { return a.records > b.records; });
  return counts;
}

}  // namespace wirelap
