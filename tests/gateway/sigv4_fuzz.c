/*
 * Any text as a request, whose signature is checked: nobody is let in who would be with another
 * secret, too, and every refusal is one that can be sent.
 *
 * The text: method and target with a blank between, headers as lines with a colon, an empty line,
 * the body.
 */
#include <string.h>

#include "server/gateway/aws_error.h"
#include "server/gateway/sigv4.h"

enum { HEADERS_MAX = 256, SIGNED_AT = 1440938160 };

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static struct annals_credentials *credentials(const char *secret) {
  g_autofree char *text = g_strdup_printf(
      "[suite]\naccess_key_id=AKIDEXAMPLE\nsecret_access_key=%s\n"
      "[session]\naccess_key_id=ASIDEXAMPLE\nsecret_access_key=%s\nsession_token=token\n",
      secret, secret);
  struct annals_credentials *made = annals_credentials_parse("file", text, strlen(text), NULL);
  g_assert(made != NULL);
  return made;
}

/* Cuts off the first line, and returns what is behind it. */
static char *cut_line(char *text) {
  char *end = strchr(text, '\n');
  if (end == NULL) {
    return text + strlen(text);
  }
  *end = '\0';
  return end + 1;
}

static void check_refusal(const GError *error) {
  struct annals_buffer out;
  g_assert(error->domain == ANNALS_GATEWAY_ERROR);
  g_assert(error->code >= ANNALS_GATEWAY_ERROR_MISSING_AUTHENTICATION &&
           error->code <= ANNALS_GATEWAY_ERROR_EXPIRED_TOKEN);
  annals_buffer_init(&out, 1 << 24);
  annals_aws_error_append(error, &out);
  g_assert(!out.failed && g_utf8_validate((const char *)out.data, (gssize)out.len, NULL));
  annals_buffer_clear(&out);
}

static bool verify(const struct annals_sigv4_request *request, const char *secret) {
  struct annals_sigv4_verifier verifier = {
      .service = "service",
      .credentials = credentials(secret),
      .now_s = SIGNED_AT,
  };
  const struct annals_principal *principal = NULL;
  g_autoptr(GError) error = NULL;
  bool ok = annals_sigv4_verify(&verifier, request, &principal, &error);
  g_assert(ok == (error == NULL) && ok == (principal != NULL));
  if (!ok) {
    check_refusal(error);
  }
  annals_credentials_unref((struct annals_credentials *)verifier.credentials);
  return ok;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  g_autofree char *text = g_strndup((const char *)data, size);
  struct annals_sigv4_header headers[HEADERS_MAX];
  struct annals_sigv4_request request = {.method = text, .headers = headers};
  char *rest = cut_line(text);
  char *blank = strchr(text, ' ');
  request.target = blank == NULL ? "" : blank + 1;
  if (blank != NULL) {
    *blank = '\0';
  }
  while (*rest != '\0' && *rest != '\n' && request.header_count < HEADERS_MAX) {
    char *line = rest;
    rest = cut_line(line);
    char *colon = strchr(line, ':');
    if (colon != NULL) {
      *colon = '\0';
      headers[request.header_count++] =
          (struct annals_sigv4_header){.name = line, .value = colon + 1};
    }
  }
  rest += *rest == '\n' ? 1 : 0;
  request.body = (const uint8_t *)rest;
  request.body_size = strlen(rest);
  if (verify(&request, "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY")) {
    g_assert(!verify(&request, "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEX"));
  }
  return 0;
}
