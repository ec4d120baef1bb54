/*
 * Text as it stands between the quotes of a JSON string.
 *
 * Floor 1, private to the codecs. One escaper does it byte by byte, others with vectors; all of
 * them write the same. Which one serves is settled before main(), by what the processor has.
 */
#ifndef ANNALS_PROTO_JSON_ESCAPE_H_
#define ANNALS_PROTO_JSON_ESCAPE_H_

#include <glib.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

G_BEGIN_DECLS

enum {
  ANNALS_JSON_ESCAPE_BYTES_MAX = 6, /* \u001f */
  /* What may be written behind the escaped text: vectors are stored whole. */
  ANNALS_JSON_ESCAPE_SLACK = 32,
};

/*
 * Writes text with `"`, `\` and control characters escaped, each in its shortest form, and returns
 * where it ends. All other bytes stand for themselves.
 *
 * Memory: at to there is room for ANNALS_JSON_ESCAPE_BYTES_MAX times size, and the slack. Nothing
 *         beyond size is read.
 */
typedef uint8_t *annals_json_escape_f(uint8_t *to, const uint8_t *text, size_t size);

struct annals_json_escaper {
  const char *name;
  annals_json_escape_f *escape;
};

/* The one that serves. */
extern annals_json_escape_f *annals_json_escape;

/* Gives those that this processor can run, the one without vectors first; ends with a NULL. */
const struct annals_json_escaper *annals_json_escapers(void);

G_END_DECLS

#endif
