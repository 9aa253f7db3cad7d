// bench: a yardstick: libpcap's read loop with a callback that only counts.
//
// usage: libpcap CAPTURE      '-': standard input

#include <pcap/pcap.h>

#include <cstdio>

int main(int argc, char** argv) {
  if (argc != 2) {
    std::fputs("usage: libpcap CAPTURE\n", stderr);
    return 2;
  }
  char error[PCAP_ERRBUF_SIZE];
  pcap_t* const capture = pcap_open_offline(argv[1], error);
  if (capture == nullptr) {
    std::fprintf(stderr, "%s\n", error);
    return 1;
  }
  unsigned long long records = 0;
  const auto count = [](u_char* user, const pcap_pkthdr*, const u_char*) {
    ++*reinterpret_cast<unsigned long long*>(user);
  };
  pcap_loop(capture, -1, count, reinterpret_cast<u_char*>(&records));
  pcap_close(capture);
  std::printf("%llu\n", records);
}
