#include "client/connect.h"

#include <string.h>

/* The options that have a text: name, environment variable, field. */
static const struct text_option {
  const char *name;
  const char *variable;
  size_t offset;
  const char *argument;
  const char *help;
} text_options[] = {
    {"endpoint", "ANNALS_ENDPOINT", offsetof(struct annals_connect, endpoint), "HOST:PORT",
     "The server's gRPC address (default: $ANNALS_ENDPOINT, else " ANNALS_CLIENT_ENDPOINT_DEFAULT
     ")"},
    {"ca-file", "ANNALS_CA_FILE", offsetof(struct annals_connect, ca_file), "FILE",
     "TLS: the CAs of the server's certificate, PEM ($ANNALS_CA_FILE)"},
    {"cert-file", "ANNALS_CERT_FILE", offsetof(struct annals_connect, cert_file), "FILE",
     "TLS: the certificate to show to the server, PEM ($ANNALS_CERT_FILE)"},
    {"key-file", "ANNALS_KEY_FILE", offsetof(struct annals_connect, key_file), "FILE",
     "TLS: its key, PEM ($ANNALS_KEY_FILE)"},
    {"server-name", "ANNALS_SERVER_NAME", offsetof(struct annals_connect, server_name), "NAME",
     "TLS: the name in the server's certificate ($ANNALS_SERVER_NAME)"},
    {"token-file", "ANNALS_TOKEN_FILE", offsetof(struct annals_connect, token_file), "FILE",
     "Where the bearer token is ($ANNALS_TOKEN_FILE; a token itself: $ANNALS_TOKEN)"},
};

static char **field_of(struct annals_connect *connect, const struct text_option *option) {
  return (char **)((char *)connect + option->offset);
}

void annals_connect_add_options(struct annals_connect *connect, GOptionContext *context) {
  GOptionEntry entries[G_N_ELEMENTS(text_options) + 3] = {0};
  size_t count = 0;
  for (; count < G_N_ELEMENTS(text_options); count++) {
    const struct text_option *option = &text_options[count];
    entries[count] = (GOptionEntry){
        .long_name = option->name,
        .arg = G_OPTION_ARG_FILENAME,
        .arg_data = field_of(connect, option),
        .description = option->help,
        .arg_description = option->argument,
    };
  }
  entries[count++] = (GOptionEntry){
      .long_name = "tls",
      .arg_data = &connect->tls,
      .description = "Use TLS, with the system's CAs; the TLS options imply it ($ANNALS_TLS=1)",
  };
  entries[count] = (GOptionEntry){
      .long_name = "plaintext-token",
      .arg_data = &connect->plaintext_token,
      .description =
          "Send the token to other machines without TLS, too ($ANNALS_PLAINTEXT_TOKEN=1)",
  };
  g_option_context_add_main_entries(context, entries, NULL);
}

void annals_connect_merge(struct annals_connect *connect, struct annals_connect *before) {
  for (size_t i = 0; i < G_N_ELEMENTS(text_options); i++) {
    char **field = field_of(connect, &text_options[i]);
    if (*field == NULL) {
      *field = g_steal_pointer(field_of(before, &text_options[i]));
    }
  }
  connect->tls = connect->tls || before->tls;
  connect->plaintext_token = connect->plaintext_token || before->plaintext_token;
  annals_connect_clear(before);
}

void annals_connect_clear(struct annals_connect *connect) {
  for (size_t i = 0; i < G_N_ELEMENTS(text_options); i++) {
    g_free(*field_of(connect, &text_options[i]));
  }
  *connect = (struct annals_connect){0};
}

/* NULL where it is not set or empty. */
static const char *variable(const char *name) {
  const char *value = g_getenv(name);
  return value != NULL && *value != '\0' ? value : NULL;
}

static bool is_switched_on(gboolean given, const char *name) {
  return given || g_strcmp0(variable(name), "1") == 0;
}

struct annals_client *annals_connect_open(const struct annals_connect *connect, GError **error) {
  struct annals_connect given = *connect; /* its texts are not owned */
  for (size_t i = 0; i < G_N_ELEMENTS(text_options); i++) {
    char **field = field_of(&given, &text_options[i]);
    if (*field == NULL) {
      *field = (char *)variable(text_options[i].variable);
    }
  }
  const struct annals_client_options options = {
      .endpoint = given.endpoint,
      .user_agent = "annals-cli",
      .timeout_ms = connect->timeout_ms,
      .tls = is_switched_on(given.tls, "ANNALS_TLS"),
      .ca_file = given.ca_file,
      .cert_file = given.cert_file,
      .key_file = given.key_file,
      .server_name = given.server_name,
      /* What was asked for on the command line counts for more than the environment. */
      .token = connect->token_file == NULL ? variable("ANNALS_TOKEN") : NULL,
      .token_file = given.token_file,
      .plaintext_token = is_switched_on(given.plaintext_token, "ANNALS_PLAINTEXT_TOKEN"),
  };
  return annals_client_open(&options, error);
}
