/* Any bytes as a text: all escapers write the same, and that is JSON of the same text. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "proto/json_escape.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void must(bool holds) {
  if (!holds) {
    abort();
  }
}

static uint8_t read_hex(const uint8_t *digits) {
  const char text[] = {(char)digits[0], (char)digits[1], '\0'};
  return (uint8_t)strtoul(text, NULL, 16);
}

/* What an escape stands for; moves *at behind it. */
static uint8_t read_escape(const uint8_t **at) {
  static const char letters[] = "btnfr\"\\";
  static const char meanings[] = "\b\t\n\f\r\"\\";
  const uint8_t *from = *at + 1;
  if (*from == 'u') {
    must(memcmp(from, "u00", 3) == 0);
    *at = from + 5;
    return read_hex(from + 3);
  }
  const char *letter = memchr(letters, *from, sizeof letters - 1);
  must(letter != NULL);
  *at = from + 1;
  return (uint8_t)meanings[letter - letters];
}

/* Reads back what was escaped. */
static void check(const uint8_t *escaped, const uint8_t *end, const uint8_t *text, size_t size) {
  size_t i = 0;
  while (escaped < end) {
    must(i < size && *escaped >= 0x20 && *escaped != '"');
    must(text[i++] == (*escaped == '\\' ? read_escape(&escaped) : *escaped++));
  }
  must(escaped == end && i == size);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  const size_t room = size * ANNALS_JSON_ESCAPE_BYTES_MAX + ANNALS_JSON_ESCAPE_SLACK;
  const struct annals_json_escaper *escapers = annals_json_escapers();
  uint8_t *first = malloc(room);
  uint8_t *to = malloc(room);
  size_t escaped = (size_t)(escapers[0].escape(first, data, size) - first);
  check(first, first + escaped, data, size);
  for (size_t i = 1; escapers[i].name != NULL; i++) {
    must((size_t)(escapers[i].escape(to, data, size) - to) == escaped);
    must(memcmp(first, to, escaped) == 0);
  }
  free(first);
  free(to);
  return 0;
}
