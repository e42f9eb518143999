import Metrics
import TestSupport
import Testing

/// The text that Prometheus reads.
@Suite struct OpenMetricsTextTests {
    struct Thing {
        var name: String
        var sent: UInt64 = 0
        var level: Int64 = 0
        var state = "on"
        var drops: [String: UInt64] = [:]
    }

    private let things = Subject<Thing>("thing", [
        .counter("tx.sentFrames", "Frames \"sent\" by it.\nSecond line, and a \\.") { $0.sent },
        .gauge("level", "How high it is.") { $0.level == 0 ? nil : .signed($0.level) },
        .gauge("share", "A part.") { _ in .real(0.25) },
        .state("state", ["on", "off"], "Whether it works.") { $0.state },
        .counters("drops", by: "reason", always: ["none"], "Frames dropped.") { $0.drops },
    ]) { [("thing", $0.name)] }

    @Test func textIsAsTheSpecificationHasIt() throws {
        var text = OpenMetricsText()
        text.add(things, [Thing(name: "a", sent: 1_234_567_890_123_456_789, level: -7, drops: ["late": 3]), Thing(name: "b\"\\\nc", state: "off")])
        #expect(String(decoding: text.finished(), as: UTF8.self) == #"""
            # TYPE sluice_thing_tx_sent_frames counter
            # UNIT sluice_thing_tx_sent_frames frames
            # HELP sluice_thing_tx_sent_frames Frames \"sent\" by it.\nSecond line, and a \\.
            sluice_thing_tx_sent_frames_total{thing="a"} 1234567890123456789
            sluice_thing_tx_sent_frames_total{thing="b\"\\\nc"} 0
            # TYPE sluice_thing_level gauge
            # HELP sluice_thing_level How high it is.
            sluice_thing_level{thing="a"} -7
            # TYPE sluice_thing_share gauge
            # HELP sluice_thing_share A part.
            sluice_thing_share{thing="a"} 0.25
            sluice_thing_share{thing="b\"\\\nc"} 0.25
            # TYPE sluice_thing_state stateset
            # HELP sluice_thing_state Whether it works.
            sluice_thing_state{thing="a",sluice_thing_state="on"} 1
            sluice_thing_state{thing="a",sluice_thing_state="off"} 0
            sluice_thing_state{thing="b\"\\\nc",sluice_thing_state="on"} 0
            sluice_thing_state{thing="b\"\\\nc",sluice_thing_state="off"} 1
            # TYPE sluice_thing_drops counter
            # HELP sluice_thing_drops Frames dropped.
            sluice_thing_drops_total{thing="a",reason="late"} 3
            sluice_thing_drops_total{thing="a",reason="none"} 0
            sluice_thing_drops_total{thing="b\"\\\nc",reason="none"} 0
            # EOF

            """#)
    }

    @Test func theStrictReaderTakesIt() throws {
        var text = OpenMetricsText()
        text.add(things, [Thing(name: "a", sent: 10, level: 5), Thing(name: "b\"\\\nc", sent: 20)])
        let read = try OpenMetrics(text.finished())
        #expect(read.families.map(\.name).count == 5)
        #expect(read.value("sluice_thing_tx_sent_frames_total", ["thing": "b\"\\\nc"]) == 20)
        #expect(read["sluice_thing_tx_sent_frames"]?.help == "Frames \"sent\" by it.\nSecond line, and a \\.")
        #expect(read.value("sluice_thing_level") == 5)
    }

    @Test func nothingAtAllIsATextToo() throws {
        #expect(try OpenMetrics(OpenMetricsText().finished()).families.isEmpty)
    }

    @Test("the strict reader refuses what a scraper would", arguments: [
        "", "# EOF", "a 1\n# EOF\n", "# TYPE a gauge\na 1\n", "# TYPE a gauge\na 1\n# TYPE b gauge\n# TYPE a gauge\n# EOF\n", "# TYPE a counter\na 1\n# EOF\n",
        "# TYPE a counter\na_total -1\n# EOF\n", "# TYPE a gauge\na 1\na 1\n# EOF\n", "# TYPE a gauge\n# UNIT a bytes\n# EOF\n", "# TYPE a gauge\na{b=\"c} 1\n# EOF\n",
        "# TYPE a gauge\na{b=\"\\q\"} 1\n# EOF\n", "# TYPE a gauge\na{b=\"c\",b=\"c\"} 1\n# EOF\n", "# TYPE a gauge\na x\n# EOF\n", "# TYPE a gauge\n\n# EOF\n",
        "# TYPE a stateset\na{a=\"x\"} 2\n# EOF\n", "# TYPE a gauge\na{b=\"c\",} 1\n# EOF\n",
    ])
    func wrongTexts(_ text: String) { #expect(throws: OpenMetrics.Flaw.self) { try OpenMetrics(text.utf8) } }

    @Test func namesAreThoseOfJSON() {
        #expect(MetricName.snakeCase("rx.frames") == "rx_frames")
        #expect(MetricName.snakeCase("stalls.totalMicroseconds") == "stalls_total_microseconds")
    }
}
