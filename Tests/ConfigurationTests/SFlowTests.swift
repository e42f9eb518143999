import Configuration
import TestSupport
import Testing

@Suite("sFlow in the configuration") struct SFlowTests {
    @Test("settings are read and written; all but the collector have defaults")
    func roundTrip() throws {
        let model = try Model.checked(yaml: "daemon: {sflow: {collector: 192.0.2.7}}\n")
        let sflow = try #require(model.daemon.sflow)
        #expect(sflow.collector.description == "192.0.2.7:6343" && sflow.agent == nil)
        #expect((sflow.sampling, sflow.polling, sflow.header) == (1_000, 20, 128))
        let other = try Model.checked(yaml: "daemon: {sflow: {collector: \"[2001:DB8::7]:9000\", agent: 192.0.2.1, sampling: 64, polling: 5s, header: 256}}\n")
        #expect(other.daemon.sflow?.collector.description == "[2001:db8::7]:9000" && other.daemon.sflow?.agent?.description == "192.0.2.1")
        #expect((other.daemon.sflow?.sampling, other.daemon.sflow?.polling, other.daemon.sflow?.header) == (64, 5, 256))
        for model in [model, other] { #expect(try Model(yaml: model.yaml) == model) }
        let plan = try Running(model).changed(to: other)
        #expect(!plan.plan.needsRestart && !plan.plan.isEmpty)
    }

    @Test("collectors", arguments: [
        ("192.0.2.7", "192.0.2.7:6343"), ("192.0.2.7:1", "192.0.2.7:1"), ("2001:db8::7", "[2001:db8::7]:6343"), ("[::1]", "[::1]:6343"), ("[::1]:65535", "[::1]:65535"),
        ("192.0.2.7:0", nil), ("192.0.2.7:65536", nil), ("192.0.2.7:", nil), ("collector:6343", nil), ("", nil), ("0.0.0.0", nil), ("::", nil), ("255.255.255.255", nil),
        ("[192.0.2.7]:6343", nil), ("[::1]6343", nil), ("192.0.2.0/24", nil), ("[::1", nil), (":6343", nil),
    ] as [(String, String?)])
    func collectors(text: String, shown: String?) { #expect(CollectorAddress(text)?.description == shown) }

    @Test("what is wrong is told in sentences")
    func flaws() {
        func told(_ text: String) -> String { problems("daemon: {sflow: \(text)}\n").joined(separator: "\n") }
        #expect(told("{sampling: 10}").contains("sflow needs a collector: write sflow: {collector: 192.0.2.7}"))
        #expect(told("{collector: here}").contains("'here' is no collector's address: write an IP address, and a port if it is not 6343"))
        #expect(told("{collector: 192.0.2.7, sampling: 0}").contains("16777216"))
        #expect(told("{collector: 192.0.2.7, header: 40}").contains("512"))
        #expect(told("{collector: 192.0.2.7, polling: 500ms}").contains("polling is whole seconds from 1s to 3600s, such as 20s"))
        #expect(told("{collector: 192.0.2.7, agent: 10.0.0.0/8}").contains("'10.0.0.0/8' is no IPv4 or IPv6 address"))
        #expect(told("{collector: 192.0.2.7, targets: 1}").contains("targets"))
    }
}
