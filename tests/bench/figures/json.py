"""Events to JSON, without a server."""


class JsonTranscode:
    NAME = "json_transcode"
    WHAT = "wire bytes to JSON / libprotobuf's MessageToJsonString on the same messages, bytes a second"
    TARGET = 10

    def prepare(self, bench):
        self.programs = bench.programs
        self.seconds = bench.seconds

    def run(self, who):
        return self.programs.values("tests/bench/json_transcode", who,
                                    self.seconds)["bytes_per_second"]

    def baseline(self):
        return self.run("libprotobuf")

    def subject(self):
        return self.run("annals")


FIGURES = [JsonTranscode]
