import ControlAPI
import ControlPlane
import Foundation
import Metrics
import TestSupport
import Testing

/// Metrics tell what JSON tells, under the same names.
@Suite struct MetricsTests {
    private var snapshot: MetricsSnapshot {
        var snapshot = MetricsSnapshot()
        (snapshot.daemon, snapshot.stats, snapshot.ports, snapshot.bridges) = (Canned.status, Canned.stats, Canned.ports, [Canned.bridge])
        (snapshot.groups, snapshot.protocols, snapshot.filters) = ([Canned.group], Canned.protocols, [Canned.filter])
        (snapshot.mirrors, snapshot.discovery, snapshot.cores) = ([Canned.mirror], [Canned.lldp], Canned.cores)
        let (guests, classes) = (Canned.guests, Canned.classes)
        (snapshot.guests, snapshot.classes) = ({ guests }, { classes })
        return snapshot
    }

    /// Every number in the JSON of an object that a family names, against the samples of that object.
    private func agree<Object: Encodable>(_ metrics: OpenMetrics, _ subject: Subject<Object>, _ objects: [Object], _ label: (name: String, value: (Object) -> String)? = nil) throws {
        #expect(!objects.isEmpty)
        for object in objects {
            let json = try JSONSerialization.jsonObject(with: JSONRPC.encoder().encode(object))
            for family in subject.families {
                let name = subject.name(of: family)
                let samples = try #require(metrics[name], "\(name)").samples.filter { sample in label.map { sample.labels[$0.name] == $0.value(object) } ?? true }
                // A list becomes a table by place, whose numbers are a field of its items.
                let value = family.field.split(separator: ".").reduce(json) { json, field in
                    let key = MetricName.snakeCase(String(field))
                    if let list = json as? [[String: Any]] { return Dictionary(uniqueKeysWithValues: list.enumerated().map { (String($0), $1[key] ?? 0) }) }
                    return (json as? [String: Any])?[key] as Any
                }
                switch value {
                case let table as [String: Any]:
                    for (key, number) in table {
                        #expect(samples.first { $0.labels.values.contains(key) }?.value == (number as? NSNumber)?.doubleValue, "\(name) \(key)")
                    }
                    #expect(samples.allSatisfy { sample in sample.value == 0 || sample.labels.values.contains { table[$0] != nil } }, "\(name)")
                case let number as NSNumber: #expect(samples.map(\.value) == [number.doubleValue], "\(name)")
                case let text as String: #expect(samples.first { $0.value == 1 }?.labels[name] == text, "\(name)")
                // JSON leaves out what the object does not have, and a counter that the daemon does not have is 0.
                default: #expect(samples.allSatisfy { $0.value == 0 }, "\(name): JSON has no \(family.field)")
                }
            }
        }
    }

    @Test func theNumbersAndNamesAreThoseOfJSON() throws {
        let metrics = try OpenMetrics(snapshot.text())
        try agree(metrics, Subjects.daemon, [Canned.status])
        try agree(metrics, Subjects.stats, [Canned.stats])
        try agree(metrics, Subjects.ports, Canned.ports, ("port", \.name))
        try agree(metrics, Subjects.bridges, [Canned.bridge], ("bridge", \.name))
        try agree(metrics, Subjects.groups, [Canned.group], ("group", \.name))
        try agree(metrics, Subjects.guests, Canned.guests, ("guest", \.name))
        try agree(metrics, Subjects.classes, Canned.classes, ("class", { $0.path.isEmpty ? "/" : $0.path }))
        try agree(metrics, Subjects.protocols, Canned.protocols, ("protocol", \.name))
        try agree(metrics, Subjects.filters, [Canned.filter], ("filter", \.name))
        try agree(metrics, Subjects.mirrors, [Canned.mirror], ("mirror", \.name))
        try agree(metrics, Subjects.discovery, [Canned.lldp], ("port", \.port))
        try agree(metrics, Subjects.cores, Canned.cores, ("cpu", { String($0.cpu) }))
    }

    /// Delays have a bucket for every second power of two, which ends where a bucket of the histogram does.
    @Test func delaysAreHistograms() throws {
        var snapshot = snapshot
        var classes = Canned.classes
        classes[1].delay = DelayStatus(passed: 5, buckets: [[1_023, 2], [16_383, 4], [18_431, 8], [9_000_000_000, 1]])
        snapshot.classes = { [classes] in classes }
        let metrics = try OpenMetrics(snapshot.text()), name = "sluice_class_delay_nanoseconds"
        #expect(metrics[name]?.type == "histogram" && metrics[name]?.unit == "nanoseconds")
        let counts = metrics[name]?.samples.map { ($0.labels["le"] ?? "", $0.value) } ?? []
        #expect(counts.map(\.0) == stride(from: 14, through: 32, by: 2).map { "\(1 << $0 - 1).0" } + ["+Inf"])
        #expect(counts.map(\.1) == [11] + Array(repeating: 19, count: 9) + [20])
        #expect(metrics[name]?.samples.allSatisfy { $0.labels["class"] == "vm1/iscsi" } == true)
    }

    @Test func everyFamilySaysWhatItIs() throws {
        for family in try OpenMetrics(snapshot.text()).families {
            #expect(family.help.hasSuffix(".") && !family.type.isEmpty, "\(family.name)")
            #expect(!["_total", "_created", "_info", "_bucket", "_count_total"].contains { family.name.hasSuffix($0) }, "\(family.name) ends in what has a meaning")
        }
    }

    @Test func reasonsOfDropsAreThereBeforeTheyOccur() throws {
        #expect(try OpenMetrics(snapshot.text()).value("sluice_stats_dropped_total", ["reason": "no_buffer"]) == 0)
    }

    /// What comes to the queue while a step is taken is done before the next one.
    @Test func othersHaveTheirTurnBetweenTwoSteps() async {
        let queue = DispatchQueue(label: "control")
        nonisolated(unsafe) var done: [String] = []
        func step(_ name: String) -> MetricsReading.Step {
            .init { snapshot in
                done.append(name)
                snapshot.daemon.ports += 1
                queue.async { done.append("change behind \(name)") }
            }
        }
        let reading = MetricsReading(queue: queue, steps: [.init(others: { [step("port 1"), step("port 2")] }), .init(others: { [] }), step("classes")])
        let snapshot = await withCheckedContinuation { all in reading.read { all.resume(returning: $0) } }
        #expect(snapshot?.daemon.ports == 3)
        #expect(queue.sync { done } == ["port 1", "change behind port 1", "port 2", "change behind port 2", "classes", "change behind classes"])
    }

    @Test func aStepThatFailsEndsTheReading() async {
        let reading = MetricsReading(
            queue: DispatchQueue(label: "control"), steps: [.init { _ in throw RPCError(RPCError.failed, "no") }, .init { _ in Issue.record("this is not read any more") }])
        #expect(await withCheckedContinuation { all in reading.read { all.resume(returning: $0) } } == nil)
    }

    /// Nothing is read any more of what ends between two steps.
    @Test func aReadingEndsBetweenTwoSteps() async {
        let queue = DispatchQueue(label: "control")
        nonisolated(unsafe) var reading: MetricsReading?
        reading = MetricsReading(queue: queue, steps: [.init { _ in queue.async { reading?.end() } }, .init { _ in Issue.record("this is not read any more") }])
        #expect(await withCheckedContinuation { all in reading?.read { all.resume(returning: $0) } } == nil)
    }
}
