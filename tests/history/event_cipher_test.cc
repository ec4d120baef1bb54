#include <gtest/gtest.h>

extern "C" {
#include "server/history/event_cipher.h"
}

#include "tests/proto/codec_test_support.h"

namespace annals_test {
namespace {

const char kExecution[] = "arn:aws:states:us-east-1:123456789012:execution:machine:name";
const char kOther[] = "arn:aws:states:us-east-1:123456789012:execution:machine:names";

enum { kTaskFailedDetails = 20, kExecutionFailedDetails = 30, kTaskFailed = 42 };

const uint8_t *Raw(const std::string &bytes) {
  return reinterpret_cast<const uint8_t *>(bytes.data());
}

std::string Take(annals_buffer *buffer, bool ok) {
  std::string bytes = "refused";
  if (ok) {
    bytes.assign(reinterpret_cast<const char *>(buffer->data), buffer->len);
  }
  annals_buffer_clear(buffer);
  return bytes;
}

annals_frame FrameOf(const std::string &bytes) {
  annals_frame frame = {};
  size_t offset = 0;
  EXPECT_TRUE(annals_frame_next(Raw(bytes), bytes.size(), &offset, &frame));
  EXPECT_EQ(offset, bytes.size());
  return frame;
}

class EventCipher : public testing::Test {
 protected:
  void SetUp() override {
    Use(kExecution, 7, 'k');
  }
  void TearDown() override {
    annals_event_cipher_free(cipher_);
  }

  void Use(const char *arn, int64_t data_key, char byte) {
    annals_event_cipher_free(cipher_);
    cipher_ = annals_event_cipher_new(schema_.get(), arn);
    const std::string key(ANNALS_CIPHER_KEY_BYTES, byte);
    annals_event_cipher_set_key(cipher_, data_key, Raw(key));
  }

  std::string Encrypt(int64_t id, const std::string &event) {
    annals_buffer out;
    annals_buffer_init(&out, 8 << 20);
    bool ok = annals_event_cipher_encrypt(cipher_, id, Raw(event), event.size(), &out);
    return Take(&out, ok);
  }

  /* The plain frame, or "refused". */
  std::string Decrypt(int64_t id, const std::string &bytes) {
    annals_frame frame = FrameOf(bytes);
    annals_buffer out;
    annals_buffer_init(&out, 8 << 20);
    bool ok = annals_event_cipher_decrypt(cipher_, id, &frame, &out);
    return Take(&out, ok);
  }

  std::string Redact(const std::string &bytes) {
    annals_frame frame = FrameOf(bytes);
    annals_buffer out;
    annals_buffer_init(&out, 8 << 20);
    bool ok = annals_event_cipher_redact(schema_.get(), &frame, &out);
    return Take(&out, ok);
  }

  /* An event whose members are framed anew, as one who forges it would. */
  static std::string Forge(int64_t data_key, const std::string &event) {
    std::string inside = Varint(static_cast<uint64_t>(data_key)) + event;
    return Bytes(2, inside);
  }

  Schema schema_;
  annals_event_cipher *cipher_ = nullptr;
};

std::string Head(int64_t id, int type) {
  return Timestamp(100, 5) + Int(kEventType, type) + Int(kEventId, id);
}

std::string EnteredEvent(int64_t id, const std::string &input) {
  return Head(id, kPassStateEntered) +
         Bytes(kStateEnteredDetails, Bytes(1, "state") + Bytes(2, input) + Bytes(3, Int(1, 1)));
}

std::string FailedEvent(int64_t id, const std::string &error, const std::string &cause) {
  return Head(id, kTaskFailed) + Bytes(kTaskFailedDetails, Bytes(1, "lambda") + Bytes(2, "invoke") +
                                                               Bytes(3, error) + Bytes(4, cause));
}

/* The text of a member of an encrypted event's details. */
std::string MemberOf(const std::string &bytes, uint32_t number) {
  annals_frame frame = FrameOf(bytes);
  annals_wire_reader reader = {frame.event, frame.event + frame.event_size};
  annals_wire_field field = {};
  while (annals_wire_next(&reader, &field) == ANNALS_WIRE_FIELD && field.number <= 4) {
  }
  annals_wire_reader inner = {field.bytes, field.bytes + field.size};
  while (annals_wire_next(&inner, &field) == ANNALS_WIRE_FIELD) {
    if (field.number == number) {
      return std::string(reinterpret_cast<const char *>(field.bytes), field.size);
    }
  }
  return "";
}

TEST_F(EventCipher, GivesBackWhatItTook) {
  const std::string map = Bytes(4, Bytes(1, "a") + Bytes(2, "1")) + Bytes(4, Bytes(1, "b"));
  const std::string exited =
      Head(3, kPassStateExited) +
      Bytes(kStateExitedDetails,
            Bytes(1, "state") + Bytes(2, "{\"out\":1}") + map + Bytes(5, Int(1, 1)));
  const std::string large = EnteredEvent(3, std::string(262144, 'x'));
  for (const std::string &event :
       {EnteredEvent(3, "{}"), FailedEvent(3, "E", "because"), exited, large,
        Head(3, kPassStateEntered), Head(3, kPassStateEntered) + Bytes(kStateEnteredDetails, "")}) {
    const std::string bytes = Encrypt(3, event);
    EXPECT_EQ(FrameOf(bytes).data_key, 7);
    EXPECT_EQ(Decrypt(3, bytes), Bytes(1, event));
    EXPECT_LE(bytes.size(), event.size() + ANNALS_CIPHER_EVENT_EXTRA);
  }
}

TEST_F(EventCipher, HidesTextsAndNothingElse) {
  const std::string bytes = Encrypt(3, FailedEvent(3, "MarkedError", "MarkedCause"));
  EXPECT_EQ(bytes.find("Marked"), std::string::npos);
  EXPECT_NE(bytes.find("invoke"), std::string::npos);
  annals_frame frame = FrameOf(bytes);
  annals_event_head head;
  ASSERT_TRUE(annals_canonical_head(schema_.get(), frame.event, frame.event_size, &head));
  EXPECT_EQ(head.id, 3);
  EXPECT_EQ(head.type, kTaskFailed);
  EXPECT_EQ(head.seconds, 100);
  EXPECT_EQ(MemberOf(bytes, 4).size(), strlen("MarkedCause") + 28);
  EXPECT_NE(Encrypt(3, FailedEvent(3, "MarkedError", "MarkedCause")), bytes) << "nonces repeat";
}

TEST_F(EventCipher, LeavesOutWhatIsEncrypted) {
  EXPECT_EQ(Redact(Encrypt(3, FailedEvent(3, "E", "because"))),
            Bytes(1, Head(3, kTaskFailed) +
                         Bytes(kTaskFailedDetails, Bytes(1, "lambda") + Bytes(2, "invoke"))));
  EXPECT_EQ(Redact(Encrypt(3, EnteredEvent(3, "{}"))),
            Bytes(1, Head(3, kPassStateEntered) +
                         Bytes(kStateEnteredDetails, Bytes(1, "state") + Bytes(3, Int(1, 1)))));
}

TEST_F(EventCipher, RefusesEveryAlteredBitOfAMember) {
  const std::string bytes = Encrypt(3, EnteredEvent(3, "{\"a\":1}"));
  const std::string member = MemberOf(bytes, 2);
  const size_t at = bytes.find(member);
  ASSERT_NE(at, std::string::npos);
  for (size_t i = 0; i < member.size() * 8; i++) {
    std::string altered = bytes;
    altered[at + i / 8] = static_cast<char>(altered[at + i / 8] ^ (1 << i % 8));
    EXPECT_EQ(Decrypt(3, altered), "refused") << i;
  }
}

TEST_F(EventCipher, RefusesWhatBelongsElsewhere) {
  const std::string bytes = Encrypt(3, FailedEvent(3, "one", "two"));
  EXPECT_EQ(Decrypt(4, bytes), "refused") << "another event's place";
  const std::string error = MemberOf(bytes, 3);
  const std::string cause = MemberOf(bytes, 4);
  EXPECT_EQ(Decrypt(3, Forge(7, FailedEvent(3, cause, error))), "refused") << "another member's";
  EXPECT_EQ(Decrypt(3, Forge(7, FailedEvent(3, error, error))), "refused");
  EXPECT_EQ(Decrypt(3, Forge(7, FailedEvent(3, error, cause))),
            Bytes(1, FailedEvent(3, "one", "two")));
  const std::string other_type =
      Head(3, kTaskFailed) + Bytes(kExecutionFailedDetails, Bytes(3, error) + Bytes(4, cause));
  EXPECT_EQ(Decrypt(3, Forge(7, other_type)), "refused") << "other details'";
  Use(kOther, 7, 'k');
  EXPECT_EQ(Decrypt(3, bytes), "refused") << "another execution's";
  Use(kExecution, 7, 'l');
  EXPECT_EQ(Decrypt(3, bytes), "refused") << "another key's";
  Use(kExecution, 7, 'k');
  EXPECT_EQ(Decrypt(3, bytes), Bytes(1, FailedEvent(3, "one", "two")));
}

TEST_F(EventCipher, RefusesPlainTextsAndShortOnes) {
  EXPECT_EQ(Decrypt(3, Forge(7, EnteredEvent(3, "{}"))), "refused");
  EXPECT_EQ(Decrypt(3, Forge(7, EnteredEvent(3, std::string(28, 'x')))), "refused");
  EXPECT_EQ(Decrypt(3, Forge(7, EnteredEvent(3, std::string(100, 'x')))), "refused");
  EXPECT_EQ(Decrypt(3, Forge(7, Int(99, 1))), "refused");
}

TEST_F(EventCipher, ChangesKeys) {
  const std::string first = Encrypt(3, EnteredEvent(3, "{}"));
  const std::string key(ANNALS_CIPHER_KEY_BYTES, 'm');
  annals_event_cipher_set_key(cipher_, 8, Raw(key));
  EXPECT_EQ(annals_event_cipher_key(cipher_), 8);
  const std::string second = Encrypt(4, EnteredEvent(4, "{}"));
  EXPECT_EQ(FrameOf(second).data_key, 8);
  EXPECT_EQ(Decrypt(4, second), Bytes(1, EnteredEvent(4, "{}")));
  const std::string old(ANNALS_CIPHER_KEY_BYTES, 'k');
  annals_event_cipher_set_key(cipher_, 7, Raw(old));
  EXPECT_EQ(Decrypt(3, first), Bytes(1, EnteredEvent(3, "{}")));
}

}  // namespace
}  // namespace annals_test
