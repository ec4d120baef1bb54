#include "client/channel.h"

#include <grpc/grpc_security.h>
#include <string.h>

#include "client/call.h"
#include "client/error.h"
#include "client/tls_files.h"

enum {
  /* gRPC's defaults, 1 s to 2 min, keep a client away from a server long after it is back. */
  RECONNECT_MS_FIRST = 200,
  RECONNECT_MS_MAX = 5000,
  /* A connection that is dead without having been closed is found out by its silence. */
  KEEPALIVE_MS = 30000,
  KEEPALIVE_TIMEOUT_MS = 10000,
  PORT_MAX = 65535,
  ARGS_MAX = 10,
};

G_GNUC_PRINTF(2, 3)
static bool invalid(GError **error, const char *format, ...) {
  va_list args;
  va_start(args, format);
  g_autofree char *message = g_strdup_vprintf(format, args);
  va_end(args);
  annals_client_error_set(error, ANNALS_CLIENT_INVALID_ARGUMENT, "", "%s", message);
  return false;
}

/* --- endpoint --- */

static const char *endpoint_of(const struct annals_client_options *options) {
  return options->endpoint != NULL ? options->endpoint : ANNALS_CLIENT_ENDPOINT_DEFAULT;
}

static bool endpoint_is_valid(const char *endpoint) {
  const char *colon = strrchr(endpoint, ':');
  guint64 port;
  if (colon == NULL || colon == endpoint || strpbrk(endpoint, "/ ") != NULL ||
      !g_ascii_string_to_unsigned(colon + 1, 10, 1, PORT_MAX, &port, NULL)) {
    return false;
  }
  bool bracketed = endpoint[0] == '[' && colon[-1] == ']';
  return bracketed || memchr(endpoint, ':', (size_t)(colon - endpoint)) == NULL;
}

/* Tells whether what is sent there stays on this machine. */
static bool endpoint_is_loopback(const char *endpoint) {
  const char *colon = strrchr(endpoint, ':');
  g_autofree char *host = g_strndup(endpoint, (gsize)(colon - endpoint));
  return strcmp(host, "localhost") == 0 || strcmp(host, "[::1]") == 0 ||
         (g_str_has_prefix(host, "127.") && g_hostname_is_ip_address(host));
}

static bool uses_tls(const struct annals_client_options *options) {
  return options->tls || options->ca_file != NULL || options->cert_file != NULL ||
         options->key_file != NULL || options->server_name != NULL;
}

static bool check_options(const struct annals_client_options *options, GError **error) {
  const char *endpoint = endpoint_of(options);
  if (!endpoint_is_valid(endpoint)) {
    return invalid(error, "endpoint '%s' is not HOST:PORT", endpoint);
  }
  if ((options->cert_file == NULL) != (options->key_file == NULL)) {
    return invalid(error, "a client certificate and its key must be given together");
  }
  if (options->token != NULL && options->token_file != NULL) {
    return invalid(error, "a token and a file with a token exclude each other");
  }
  bool has_token = options->token != NULL || options->token_file != NULL;
  if (has_token && !uses_tls(options) && !options->plaintext_token &&
      !endpoint_is_loopback(endpoint)) {
    return invalid(error, "a token is sent to '%s' only over TLS: anybody on the way could read it",
                   endpoint);
  }
  g_autoptr(GError) why = NULL;
  annals_client_authorization_free(
      annals_client_authorization(options->token, options->token_file, &why));
  if (why != NULL) {
    g_propagate_error(error, g_steal_pointer(&why));
    return false;
  }
  return true;
}

/* --- credentials --- */

static grpc_channel_credentials *credentials_new(const struct annals_client_options *options,
                                                 GError **error) {
  if (!uses_tls(options)) {
    return grpc_insecure_credentials_create();
  }
  grpc_channel_credentials *credentials = NULL;
  struct annals_client_tls_files files = {0};
  if (annals_client_tls_files_read(options, &files, error)) {
    grpc_ssl_pem_key_cert_pair pair = {files.key, files.cert};
    credentials =
        grpc_ssl_credentials_create_ex(files.ca, files.key != NULL ? &pair : NULL, NULL, NULL);
  }
  annals_client_tls_files_clear(&files);
  return credentials;
}

char *annals_client_authorization(const char *token, const char *token_file, GError **error) {
  g_autoptr(GError) why = NULL;
  char *text = g_strdup(token);
  if (token_file != NULL && !g_file_get_contents(token_file, &text, NULL, &why)) {
    (void)invalid(error, "%s", why->message); /* it names the file */
    return NULL;
  }
  if (text == NULL) {
    return NULL;
  }
  g_strstrip(text);
  bool ok = *text != '\0';
  for (const char *c = text; *c != '\0'; c++) {
    ok = ok && g_ascii_isgraph(*c);
  }
  char *value = ok ? g_strconcat("Bearer ", text, NULL) : NULL;
  annals_client_authorization_free(text);
  if (!ok) {
    (void)invalid(error, "%s: a token is printable ASCII without blanks",
                  token_file != NULL ? token_file : "token");
  }
  return value;
}

void annals_client_authorization_free(char *value) {
  if (value != NULL) {
    explicit_bzero(value, strlen(value));
    g_free(value);
  }
}

/* --- channel --- */

static void add_number(grpc_channel_args *args, const char *key, int value) {
  args->args[args->num_args++] =
      (grpc_arg){.type = GRPC_ARG_INTEGER, .key = (char *)key, .value.integer = value};
}

static void add_text(grpc_channel_args *args, const char *key, const char *value) {
  args->args[args->num_args++] =
      (grpc_arg){.type = GRPC_ARG_STRING, .key = (char *)key, .value.string = (char *)value};
}

grpc_channel *annals_client_channel_new(const struct annals_client_options *options,
                                        GError **error) {
  grpc_arg list[ARGS_MAX];
  grpc_channel_args args = {.args = list};
  if (!check_options(options, error)) {
    return NULL;
  }
  grpc_channel_credentials *credentials = credentials_new(options, error);
  if (credentials == NULL) {
    return NULL;
  }
  add_number(&args, GRPC_ARG_MAX_RECEIVE_MESSAGE_LENGTH, ANNALS_CLIENT_RESPONSE_BYTES_MAX);
  add_number(&args, GRPC_ARG_ENABLE_HTTP_PROXY, 0);
  add_number(&args, GRPC_ARG_SERVICE_CONFIG_DISABLE_RESOLUTION, 1);
  add_number(&args, GRPC_ARG_INITIAL_RECONNECT_BACKOFF_MS, RECONNECT_MS_FIRST);
  add_number(&args, GRPC_ARG_MAX_RECONNECT_BACKOFF_MS, RECONNECT_MS_MAX);
  add_number(&args, GRPC_ARG_KEEPALIVE_TIME_MS, KEEPALIVE_MS);
  add_number(&args, GRPC_ARG_KEEPALIVE_TIMEOUT_MS, KEEPALIVE_TIMEOUT_MS);
  add_text(&args, GRPC_ARG_PRIMARY_USER_AGENT_STRING,
           options->user_agent != NULL ? options->user_agent : "annals-c");
  if (options->server_name != NULL) {
    add_text(&args, GRPC_SSL_TARGET_NAME_OVERRIDE_ARG, options->server_name);
  }
  grpc_channel *channel = grpc_channel_create(endpoint_of(options), credentials, &args);
  grpc_channel_credentials_release(credentials);
  return channel;
}
