import Configuration
import ControlPlane
import Foundation
import Logging
import Synchronization
import Testing

/// Collects what was logged.
final class Told: LogHandler, Sendable {
    private let all = Mutex<[String]>([])
    var lines: [String] { all.withLock { $0 } }
    var logLevel: Logger.Level { get { .trace } set {} }
    var metadata: Logger.Metadata { get { [:] } set {} }
    subscript(metadataKey key: String) -> Logger.Metadata.Value? { get { nil } set {} }
    func log(event: LogEvent) { all.withLock { $0.append("\(event.message)") } }
}

@Suite struct StateKeeperTests {
    private let folder = TemporaryFolder()
    private let lock: FileLock
    private var file: StateFile { StateFile(path: folder("state.json")) }
    private let told = Told()
    private var log: Logger { Logger(label: "test", factory: { [told] _ in told }) }

    init() throws { lock = try StateFile(path: folder("state.json")).lock() }

    private static let yaml = """
        bridges: [{name: br0, rate: 10gbit}]
        ports: [{name: a, type: tap, bridge: br0, interface: a}]
        guests: [{name: vm1, port: a, inbound: {floor: 1gbit}}]

        """

    /// A state keeper and the configuration of a daemon that has started with `yaml`.
    private func started() throws -> (StateKeeper, Running) {
        let keeper = StateKeeper(file, lock: lock, generation: 0, log: log)
        var running = Running()
        let change = try running.changed(to: try Model.checked(yaml: Self.yaml))
        _ = try keeper.begin(change)
        keeper.removeEarlier()
        running.adopt(change)
        return (keeper, running)
    }

    private func floor(_ number: Int) -> StateChange { .edit(object: "class", verb: "set", words: ["vm1", "dir", "inbound", "floor", "\(number)mbit"]) }

    private func saved() throws -> SavedState { SavedState(file, try #require(try file.load()), log) }

    @Test func whatIsRecordedOutlivesTheDaemonAtOnce() throws {
        var (keeper, running) = try started()
        for number in 1...5 {
            _ = try keeper.record(floor(number))
            try running.carryOut(floor(number))
        }
        let port = StateChange.edit(object: "port", verb: "add", words: ["b", "type", "tap", "interface", "b"])
        _ = try keeper.record(port)
        try running.carryOut(port)
        // Nothing is called that would end the keeper, as after SIGKILL.
        let found = try #require(try saved().running)
        #expect(found.model == running.model && found.ids == running.ids)
        #expect(found.model.guests[0].inbound.floor == 5_000_000 && found.model.ports.count == 2)
    }

    @Test func partsAreFoundAgainWithTheirOwners() throws {
        var (keeper, running) = try started()
        let yaml = "ports: [{name: b, type: tap, bridge: br0, interface: b}]\nguests: [{name: vm2, port: b, inbound: {floor: 1gbit}}]\n"
        let changes: [StateChange] = [
            .part(name: "p", yaml: yaml), .part(name: "gone", yaml: "ports: [{name: c, type: tap, bridge: br0, interface: c}]"),
            .edit(object: "class", verb: "set", words: ["vm2", "dir", "inbound", "floor", "2gbit"]), .part(name: "gone", yaml: nil),
            // The operator's own document: parts stay.
            .document(yaml: Self.yaml.replacing("floor: 1gbit", with: "floor: 3gbit")),
        ]
        for change in changes {
            _ = try keeper.record(change)
            try running.carryOut(change)
        }
        let crashed = try #require(try saved().running)
        keeper.end(running)
        for found in [crashed, try #require(try saved().running)] {
            #expect(found.model == running.model && found.ids == running.ids && found.parts == running.parts)
            #expect(found.model.guests.map(\.inbound.floor) == [3_000_000_000, 2_000_000_000] && found.model.ports.map(\.name) == ["a", "b"])
            #expect(found.parts.all.map(\.name) == ["p"] && found.parts["p"]?.yaml == yaml && found.parts.owner(ofGuest: "vm2") == "p")
        }
    }

    @Test func aChangeThatWasRefusedIsTakenBack() throws {
        let (keeper, _) = try started()
        _ = try keeper.record(floor(7))
        let takeBack = try keeper.record(.document(yaml: "{}\n"))
        takeBack()
        #expect(try saved().running?.model.guests[0].inbound.floor == 7_000_000)
        _ = try keeper.record(floor(8))
        #expect(try saved().running?.model.guests[0].inbound.floor == 8_000_000)
    }

    /// A daemon that ends, however it ends, while a configuration waits to be confirmed.
    @Test func whatWasNotConfirmedIsUndone() throws {
        var (keeper, running) = try started()
        let part = "ports: [{name: p, type: tap, bridge: br0, interface: p}]\n", trial = Self.yaml.replacing("floor: 1gbit", with: "floor: 3gbit")
        let old = running.base
        for change in [StateChange.trial(yaml: trial), floor(4), .part(name: "p", yaml: part)] {
            _ = try keeper.record(change)
            try running.carryOut(change)
        }
        let found = try #require(try saved().running)
        #expect(found.base == old && found.parts.all.map(\.name) == ["p"])
        #expect(told.lines == ["a configuration that was to be confirmed had not been when the daemon ended, and is undone: what ran before it runs again"])
        // The state file says so too once it has taken the journal in.
        keeper.undo = old.yaml
        keeper.end(running)
        #expect(try saved().running?.base == old && saved().running?.parts.all.map(\.name) == ["p"])
        // What was confirmed or undone waits no more.
        keeper = StateKeeper(file, lock: lock, generation: 9, log: log)
        keeper.undo = old.yaml
        _ = try keeper.begin(try Running().starting(with: running.model, running.parts))
        keeper.removeEarlier()
        _ = try keeper.record(.confirmed)
        _ = try keeper.record(floor(5))
        #expect(try saved().running?.model.guests[0].inbound.floor == 5_000_000)
        _ = try keeper.record(.trial(yaml: Self.yaml))
        _ = try keeper.record(floor(6))
        _ = try keeper.record(.undone)
        #expect(try saved().running?.model.guests[0].inbound.floor == 5_000_000)
        _ = try keeper.record(floor(7))
        #expect(try saved().running?.model.guests[0].inbound.floor == 7_000_000)
    }

    @Test func aChangeThatCannotBeMadeAgainTakesNoOtherWithIt() throws {
        let (keeper, _) = try started()
        _ = try keeper.record(.edit(object: "guest", verb: "del", words: ["nobody"]))
        _ = try keeper.record(floor(9))
        #expect(try saved().running?.model.guests[0].inbound.floor == 9_000_000)
        #expect(told.lines.count == 1 && told.lines[0].hasPrefix("a change that was made before cannot be made again: "))
    }

    @Test func aTornLineIsWhereTheJournalEnds() throws {
        let (keeper, _) = try started()
        _ = try keeper.record(floor(1))
        _ = try keeper.record(floor(2))
        let journal = StateJournal.path(of: file.path, 1)
        var data = try #require(FileManager.default.contents(atPath: journal))
        try Data(data.dropLast(3)).write(to: URL(fileURLWithPath: journal))
        #expect(try saved().running?.model.guests[0].inbound.floor == 1_000_000)
        #expect(told.lines == [] && !FileManager.default.fileExists(atPath: "\(journal).damaged"))
        // A line with a flipped bit must not be read as a change to another value.
        data[data.firstIndex(of: UInt8(ascii: "1"))!] ^= 1
        try data.write(to: URL(fileURLWithPath: journal))
        #expect(try saved().running?.model.guests[0].inbound.floor == 1_000_000_000)
        // It must not be ignored silently either, because a killed daemon does not leave such a line.
        #expect(told.lines.count == 1 && told.lines[0].contains("the journal \(journal).damaged is damaged: the change in its first damaged line and 1 after it are not made again"))
        #expect(FileManager.default.contents(atPath: "\(journal).damaged") == data)
    }

    /// After a clean end no journal is expected, and state files of versions that did not record whether there is a journal say nothing about it.
    @Test func aJournalThatIsMissingIsTold() throws {
        let (keeper, running) = try started()
        _ = try keeper.record(floor(1))
        #expect(try file.load()?.journal == true)
        #expect(try saved().generation == 2 && told.lines == [])
        let journal = StateJournal.path(of: file.path, 1)
        try FileManager.default.removeItem(atPath: journal)
        #expect(try saved().running?.model.guests[0].inbound.floor == 1_000_000_000)
        #expect(told.lines.count == 1 && told.lines[0].contains("the journal \(journal) is missing, so the changes in it are not made again"))

        try FileManager.default.createDirectory(atPath: journal, withIntermediateDirectories: false)
        _ = try saved()
        #expect(told.lines.count == 2 && told.lines[1].contains("the journal \(journal) cannot be read"))
        try FileManager.default.removeItem(atPath: journal)

        keeper.end(running)
        #expect(try file.load()?.journal == false)
        try file.save(ids: running.ids, yaml: Self.yaml, generation: 1)
        _ = try saved()
        #expect(told.lines.count == 2)
    }

    @Test func aJournalBetweenOthersIsMissed() throws {
        let (_, running) = try started()
        for number in [1, 3] as [UInt64] {
            var journal = try StateJournal(file.path, number)
            try journal.append(floor(Int(number)))
            journal.end()
        }
        let found = try saved()
        #expect(found.running?.model.guests[0].inbound.floor == 1_000_000)
        #expect(told.lines.count == 1 && told.lines[0].contains("the journal \(file.path).changes.2 is missing"))
        // What stands behind the gap must not become a change of the next run either.
        let later = StateKeeper(file, lock: lock, generation: found.generation, log: log)
        _ = try later.begin(try Running(running.model, ids: running.ids).changed(to: running.model))
        later.removeEarlier()
        #expect(try saved().running?.model.guests[0].inbound.floor == 1_000_000_000)
        #expect(told.lines.count == 1)
    }

    @Test func journalsWithoutTheirStateFileAreTold() throws {
        SavedState.tellOrphans(of: file, log)
        let (keeper, _) = try started()
        _ = try keeper.record(floor(1))
        try FileManager.default.removeItem(atPath: file.path)
        #expect(told.lines == [])
        SavedState.tellOrphans(of: file, log)
        #expect(told.lines.count == 1 && told.lines[0].contains("\(file.path) is missing, so the changes in its journal \(file.path).changes.1 are not made again"))
    }

    @Test func aDiskThatTakesNothingIsTriedAgain() throws {
        let keeper = StateKeeper(file, lock: lock, generation: 0, log: log)
        var running = Running()
        let change = try running.changed(to: try Model.checked(yaml: Self.yaml))
        // The state is written to this file first, which would then replace the state file.
        try FileManager.default.createSymbolicLink(atPath: "\(file.path).\(getpid()).new", withDestinationPath: "/dev/full")
        #expect { try keeper.begin(change) } throws: {
            ($0 as? StateFileError)?.isOfDisk == true && "\($0)" == "the state cannot be saved in \(file.path) (No space left on device): make room on its disk"
        }
        #expect(!keeper.hasBegun && StateJournal.generations(file.path) == [])
        keeper.postpone(StateFileError("the state cannot be saved: make room", isOfDisk: true))
        keeper.postpone(StateFileError("the state cannot be saved: make room", isOfDisk: true))
        #expect(told.lines.count == 1 && told.lines[0].contains("make room. Until then nothing can be changed") && keeper.obstacle == told.lines[0])
        running.adopt(change)
        try keeper.catchUp(running)
        #expect(try saved().running?.model == running.model)
        #expect(keeper.obstacle == nil && told.lines.count == 2)
        _ = try keeper.record(floor(6))
        #expect(try saved().running?.model.guests[0].inbound.floor == 6_000_000)
    }

    /// A line may have a correct checksum and still contain something that no parser should be given.
    @Test(arguments: [String(repeating: "[", count: 513), "{\"edit\":" + String(repeating: "{\"a\":", count: 513), "\"\u{0}\"", "{}"])
    func theJournalIsReadWithinLimits(_ text: String) throws {
        let (keeper, _) = try started()
        _ = try keeper.record(floor(1))
        let journal = StateJournal.path(of: file.path, 1)
        let line = Data("\(Checksum(text.utf8).text) \(text)\n".utf8)
        try (try #require(FileManager.default.contents(atPath: journal)) + line).write(to: URL(fileURLWithPath: journal))
        #expect(try saved().running?.model.guests[0].inbound.floor == 1_000_000)
    }

    @Test func theStateFileTakesTheJournalIn() throws {
        var (keeper, running) = try started()
        _ = try keeper.record(floor(3))
        try running.carryOut(floor(3))
        // This is more than may remain to be replayed at a start.
        keeper.count(60)
        keeper.tick(running)
        _ = try keeper.record(floor(4))
        try running.carryOut(floor(4))
        #expect(try saved().running?.model.guests[0].inbound.floor == 4_000_000)
        keeper.end(running)
        #expect(try FileManager.default.contentsOfDirectory(atPath: folder("")) == ["state.json"])
        let contents = try #require(try file.load())
        #expect(try Model.checked(yaml: contents.yaml) == running.model)
        #expect(try saved().generation == contents.generation)
    }

    /// The daemon was killed after the journal of the next generation was begun and before its state file was written, so both journals count.
    @Test func journalsFollowOneAnother() throws {
        let (keeper, _) = try started()
        _ = try keeper.record(floor(3))
        var next = try StateJournal(file.path, 2)
        try next.append(floor(9))
        next.end()
        #expect(try saved().running?.model.guests[0].inbound.floor == 9_000_000)
        #expect(try saved().generation == 3)
        // The state file of the next run replaces all of them.
        let later = StateKeeper(file, lock: lock, generation: try saved().generation, log: log)
        _ = try later.begin(try Running().changed(to: try Model.checked(yaml: Self.yaml)))
        later.removeEarlier()
        #expect(try saved().running?.model.guests[0].inbound.floor == 1_000_000_000)
    }
}
