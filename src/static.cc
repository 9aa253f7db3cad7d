// What the static program has in place of parts of the C and C++ libraries, which
// would make it half as large again: the demangler of names and a second kind of
// strings, for exceptions that nothing here throws or catches, and translations
// of messages, which are found by a locale that is never set.
#include <unistd.h>

#include <cstdlib>
#include <new>
#include <string_view>

namespace {

[[noreturn]] void end_with(std::string_view line) {
  [[maybe_unused]] const ssize_t written = ::write(STDERR_FILENO, line.data(), line.size());
  std::abort();
}

[[noreturn]] void end_without_memory() { end_with("wirelap: out of memory\n"); }

}  // namespace

// Memory that the system refuses cannot be done without.
void* operator new(std::size_t bytes) {
  void* const memory = std::malloc(bytes == 0 ? 1 : bytes);
  if (memory == nullptr) end_without_memory();
  return memory;
}
void* operator new(std::size_t bytes, std::align_val_t alignment) {
  void* memory = nullptr;
  if (::posix_memalign(&memory, static_cast<std::size_t>(alignment), bytes) != 0) end_without_memory();
  return memory;
}
void* operator new(std::size_t bytes, const std::nothrow_t&) noexcept { return std::malloc(bytes == 0 ? 1 : bytes); }
void* operator new[](std::size_t bytes) { return operator new(bytes); }
void* operator new[](std::size_t bytes, std::align_val_t alignment) { return operator new(bytes, alignment); }
void* operator new[](std::size_t bytes, const std::nothrow_t& none) noexcept { return operator new(bytes, none); }
void operator delete(void* memory) noexcept { std::free(memory); }
void operator delete(void* memory, std::size_t) noexcept { std::free(memory); }
void operator delete(void* memory, std::align_val_t) noexcept { std::free(memory); }
void operator delete(void* memory, std::size_t, std::align_val_t) noexcept { std::free(memory); }
void operator delete[](void* memory) noexcept { std::free(memory); }
void operator delete[](void* memory, std::size_t) noexcept { std::free(memory); }
void operator delete[](void* memory, std::align_val_t) noexcept { std::free(memory); }
void operator delete[](void* memory, std::size_t, std::align_val_t) noexcept { std::free(memory); }

// The names are libstdc++'s: what its containers call where they would throw.
namespace std {

void __throw_bad_alloc() { end_without_memory(); }
void __throw_bad_array_new_length() { end_without_memory(); }
void __throw_length_error(const char*) { end_with("wirelap: internal error: too long\n"); }
void __throw_logic_error(const char*) { end_with("wirelap: internal error: logic\n"); }
void __throw_out_of_range_fmt(const char*, ...) { end_with("wirelap: internal error: out of range\n"); }
void __throw_system_error(int) { end_with("wirelap: internal error: system\n"); }
void __throw_bad_function_call() { end_with("wirelap: internal error: empty function\n"); }

}  // namespace std

// And what that of exceptions calls at the end.
namespace __gnu_cxx {
void __verbose_terminate_handler() { end_with("wirelap: internal error: terminated\n"); }
}  // namespace __gnu_cxx

// glibc's own assertions, and how they and strerror() translate.
extern "C" {
[[noreturn]] void __assert_fail(const char*, const char*, unsigned, const char*) noexcept {
  end_with("wirelap: internal error: assertion\n");
}
char* __dcgettext(const char*, const char* message, int) noexcept { return const_cast<char*>(message); }
}
