#include "proto/json_escape.h"

#include <string.h>

#ifdef __x86_64__
#include <immintrin.h>
#endif

static const char hex_digits[] = "0123456789abcdef";

/* What follows the backslash: 0 for bytes that stand for themselves, 'u' for \u00xx. */
static const char escapes[256] = {
    ['\0'] = 'u',   ['\x01'] = 'u', ['\x02'] = 'u', ['\x03'] = 'u', ['\x04'] = 'u', ['\x05'] = 'u',
    ['\x06'] = 'u', ['\x07'] = 'u', ['\b'] = 'b',   ['\t'] = 't',   ['\n'] = 'n',   ['\x0b'] = 'u',
    ['\f'] = 'f',   ['\r'] = 'r',   ['\x0e'] = 'u', ['\x0f'] = 'u', ['\x10'] = 'u', ['\x11'] = 'u',
    ['\x12'] = 'u', ['\x13'] = 'u', ['\x14'] = 'u', ['\x15'] = 'u', ['\x16'] = 'u', ['\x17'] = 'u',
    ['\x18'] = 'u', ['\x19'] = 'u', ['\x1a'] = 'u', ['\x1b'] = 'u', ['\x1c'] = 'u', ['\x1d'] = 'u',
    ['\x1e'] = 'u', ['\x1f'] = 'u', ['"'] = '"',    ['\\'] = '\\',
};

static inline uint8_t *put_escape(uint8_t *to, uint8_t byte) {
  const char text[] = {'\\', escapes[byte], '0', '0', hex_digits[byte >> 4], hex_digits[byte & 15]};
  memcpy(to, text, sizeof text);
  return to + (escapes[byte] == 'u' ? 6 : 2);
}

static uint8_t *escape_bytes(uint8_t *to, const uint8_t *text, size_t size) {
  for (size_t i = 0; i < size; i++) {
    if (escapes[text[i]] == 0) {
      *to++ = text[i];
    } else {
      to = put_escape(to, text[i]);
    }
  }
  return to;
}

#ifdef __x86_64__

/* Loads up to 15 bytes; those above them are 0. Reads two that overlap rather than one too many. */
static inline __m128i load_some(const uint8_t *text, size_t size) {
  uint64_t low = 0;
  uint64_t high = 0;
  if (size > sizeof low) {
    memcpy(&low, text, sizeof low);
    memcpy(&high, text + size - sizeof high, sizeof high);
    high >>= 8 * (2 * sizeof high - size);
  } else if (size >= sizeof(uint32_t)) {
    uint32_t first;
    uint32_t last;
    memcpy(&first, text, sizeof first);
    memcpy(&last, text + size - sizeof last, sizeof last);
    low = first | (uint64_t)last << (8 * (size - sizeof last));
  } else if (size > 0) {
    low = text[0] | (uint64_t)text[size / 2] << (8 * (size / 2)) |
          (uint64_t)text[size - 1] << (8 * (size - 1));
  }
  return _mm_set_epi64x((long long)high, (long long)low);
}

/* A bit for each byte that has to be escaped. */
static inline unsigned find_16(__m128i bytes) {
  __m128i quotes = _mm_cmpeq_epi8(bytes, _mm_set1_epi8('"'));
  __m128i backslashes = _mm_cmpeq_epi8(bytes, _mm_set1_epi8('\\'));
  __m128i controls = _mm_cmpeq_epi8(_mm_min_epu8(bytes, _mm_set1_epi8(0x1f)), bytes);
  return (unsigned)_mm_movemask_epi8(_mm_or_si128(_mm_or_si128(quotes, backslashes), controls));
}

/* --- SSE2, which every x86-64 has: copies vectors, and escapes one byte at a time --- */

static uint8_t *escape_sse2(uint8_t *to, const uint8_t *text, size_t size) {
  while (size > 0) {
    const size_t count = MIN(size, sizeof(__m128i));
    __m128i bytes =
        count == sizeof bytes ? _mm_loadu_si128((const __m128i *)text) : load_some(text, count);
    unsigned found = find_16(bytes) & ((1U << count) - 1);
    _mm_storeu_si128((__m128i *)to, bytes);
    size_t plain = found == 0 ? count : (size_t)__builtin_ctz(found);
    to += plain;
    if (found != 0) {
      to = put_escape(to, text[plain]);
      plain++;
    }
    text += plain;
    size -= plain;
  }
  return to;
}

/* --- AVX2: makes room for backslashes in eight bytes at once --- */

#define AVX2 __attribute__((target("avx2,popcnt")))

/* For each set of bytes to be escaped: which of eight bytes goes where. 0x80 is a backslash. */
static uint8_t spreads[256][16];

static void init_spreads(void) {
  for (unsigned set = 0; set < 256; set++) {
    size_t at = 0;
    for (unsigned i = 0; i < 8; i++) {
      if (set & (1U << i)) {
        spreads[set][at++] = 0x80;
      }
      spreads[set][at++] = (uint8_t)i;
    }
  }
}

/* Takes the low count (up to 8) bytes, written as they stand behind backslashes. */
static inline AVX2 uint8_t *spread_8(uint8_t *to, __m128i bytes, size_t count, unsigned found) {
  __m128i places = _mm_loadu_si128((const __m128i *)spreads[found]);
  __m128i backslashes =
      _mm_and_si128(_mm_cmpgt_epi8(_mm_setzero_si128(), places), _mm_set1_epi8('\\'));
  __m128i spread = _mm_or_si128(_mm_shuffle_epi8(bytes, places), backslashes);
  _mm_storeu_si128((__m128i *)to, spread);
  return to + count + (size_t)__builtin_popcount(found);
}

/* Takes count (up to 16) bytes of text, some of which have to be escaped. */
static inline AVX2 uint8_t *spread_16(uint8_t *to, const uint8_t *text, __m128i bytes, size_t count,
                                      unsigned found) {
  const __m128i letters = _mm_setr_epi8(0, 0, 0, 0, 0, 0, 0, 0, 'b', 't', 'n', 0, 'f', 'r', 0, 0);
  __m128i controls = _mm_cmpeq_epi8(_mm_min_epu8(bytes, _mm_set1_epi8(0x1f)), bytes);
  /* A letter is looked up by a byte's lower half: for those above 0x0f it is not theirs. */
  __m128i named = _mm_shuffle_epi8(letters, bytes);
  __m128i nameless = _mm_or_si128(_mm_cmpeq_epi8(named, _mm_setzero_si128()),
                                  _mm_cmpgt_epi8(bytes, _mm_set1_epi8(0x0f)));
  if (((unsigned)_mm_movemask_epi8(_mm_and_si128(controls, nameless)) & found) != 0) {
    return escape_bytes(to, text, count); /* \u00xx is rare */
  }
  bytes = _mm_blendv_epi8(bytes, named, controls);
  const size_t low = MIN(count, 8);
  to = spread_8(to, bytes, low, found & 0xff);
  return spread_8(to, _mm_srli_si128(bytes, 8), count - low, found >> 8);
}

static inline AVX2 unsigned find_32(__m256i bytes) {
  __m256i quotes = _mm256_cmpeq_epi8(bytes, _mm256_set1_epi8('"'));
  __m256i backslashes = _mm256_cmpeq_epi8(bytes, _mm256_set1_epi8('\\'));
  __m256i controls = _mm256_cmpeq_epi8(_mm256_min_epu8(bytes, _mm256_set1_epi8(0x1f)), bytes);
  return (unsigned)_mm256_movemask_epi8(
      _mm256_or_si256(_mm256_or_si256(quotes, backslashes), controls));
}

static AVX2 uint8_t *escape_avx2(uint8_t *to, const uint8_t *text, size_t size) {
  for (; size >= sizeof(__m256i); text += sizeof(__m256i), size -= sizeof(__m256i)) {
    __m256i bytes = _mm256_loadu_si256((const __m256i *)text);
    unsigned found = find_32(bytes);
    if (found == 0) {
      _mm256_storeu_si256((__m256i *)to, bytes);
      to += sizeof bytes;
    } else {
      to = spread_16(to, text, _mm256_castsi256_si128(bytes), 16, found & 0xffff);
      to = spread_16(to, text + 16, _mm256_extracti128_si256(bytes, 1), 16, found >> 16);
    }
  }
  while (size > 0) {
    const size_t count = MIN(size, sizeof(__m128i));
    __m128i bytes =
        count == sizeof bytes ? _mm_loadu_si128((const __m128i *)text) : load_some(text, count);
    unsigned found = find_16(bytes) & ((1U << count) - 1);
    if (found == 0) {
      _mm_storeu_si128((__m128i *)to, bytes);
      to += count;
    } else {
      to = spread_16(to, text, bytes, count, found);
    }
    text += count;
    size -= count;
  }
  return to;
}

#endif

/* --- which one serves --- */

annals_json_escape_f *annals_json_escape = escape_bytes;

static struct annals_json_escaper escapers[] = {
    {"bytes", escape_bytes},
#ifdef __x86_64__
    {"sse2", escape_sse2},
    {"avx2", escape_avx2}, /* the last one: not every x86-64 has it */
#endif
    {NULL, NULL},
};

const struct annals_json_escaper *annals_json_escapers(void) {
  return escapers;
}

#ifdef __x86_64__
/* Before there are threads. */
__attribute__((constructor)) static void choose(void) {
  init_spreads();
  annals_json_escape = escape_avx2;
  __builtin_cpu_init();
  if (!__builtin_cpu_supports("avx2")) {
    escapers[2] = (struct annals_json_escaper){0};
    annals_json_escape = escape_sse2;
  }
}
#endif
