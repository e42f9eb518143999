import Configuration
import ControlPlane
import Foundation
import Logging
import Testing

/// What a daemon starts with.
@Suite struct StartupTests {
    private let folder = TemporaryFolder()
    private let told = Told()
    private var config: String { folder("sluice.yaml") }
    private var file: StateFile { StateFile(path: folder("state.json")) }

    private static let yaml = """
        # the office
        bridges: [{name: br0, rate: 10gbit}]
        ports: [{name: a, type: tap, bridge: br0, interface: a}]
        guests: [{name: vm1, port: a, inbound: {floor: 1gbit}}]

        """

    private func write(_ text: String, _ path: String? = nil) throws { try text.write(toFile: path ?? config, atomically: true, encoding: .utf8) }

    /// What a daemon left that began with `yaml` and was killed after these changes.
    private func leave(_ changes: [StateChange], config: String? = nil) throws {
        let keeper = StateKeeper(file, lock: try file.lock(), generation: 0, log: Logger(label: "test", factory: { [told] _ in told }))
        keeper.loaded = LoadedFile(path: config ?? self.config, text: Self.yaml)
        var running = Running()
        let change = try running.changed(to: try Model.checked(yaml: Self.yaml))
        _ = try keeper.begin(change)
        running.adopt(change)
        for change in changes { _ = try keeper.record(change) }
    }

    private func start(_ config: String?) throws -> Startup {
        let log = Logger(label: "test", factory: { [told] _ in told })
        let saved = try file.load(), before = saved.map { SavedState(file, $0, log) }
        return try Startup(configFile: config, stateFile: file.path, saved: saved, before: before, log)
    }

    private static let port = StateChange.edit(object: "port", verb: "add", words: ["b", "type", "tap", "interface", "b"])
    private static let floor = StateChange.edit(object: "class", verb: "set", words: ["vm1", "dir", "inbound", "floor", "2gbit"])

    @Test func singleChangesAreMadeAgain() throws {
        try write(Self.yaml)
        #expect(try start(config).running.model == Model.checked(yaml: Self.yaml))
        try leave([Self.port, Self.floor])
        let found = try start(config)
        #expect(found.running.model.ports.map(\.name) == ["a", "b"] && found.running.model.guests[0].inbound.floor == 2_000_000_000)
        #expect(found.file == LoadedFile(path: config, text: Self.yaml) && found.flaw == nil && found.replaced == nil && told.lines == [])
        #expect(try found.fileModel == Model.checked(yaml: Self.yaml))
        // Without the file, what ran last runs as well.
        #expect(try start(nil).running.model == found.running.model)
        #expect(try start(nil).file == nil)
    }

    @Test func anEditedFileWinsWhereItChanged() throws {
        try leave([Self.port, Self.floor])
        try write(Self.yaml.replacing("10gbit", with: "20gbit"))
        let found = try start(config)
        #expect(found.running.model.bridges[0].rate == 20_000_000_000 && found.running.model.ports.count == 2)
        #expect(found.replaced == nil && told.lines == ["\(config) was edited while the daemon was away, and is loaded again"])
        try write(Self.yaml.replacing("1gbit", with: "3gbit"))
        let other = try start(config)
        #expect(other.running.model.guests[0].inbound.floor == 3_000_000_000 && other.running.model.ports.count == 2)
        #expect(other.replaced?.guests[0].inbound.floor == 2_000_000_000)
        #expect(told.lines.last == "single changes are dropped: guest vm1 is as the file has it: both the file and commands have changed it")
    }

    @Test func whatWasLoadedOrSavedLastIsWhatTheFileIsComparedWith() throws {
        let saved = Self.yaml.replacing("1gbit", with: "2gbit")
        try leave([Self.port, Self.floor, .file(text: saved)])
        try write(saved)
        #expect(try start(config).running.model.ports.count == 2 && told.lines == [])
        // Going back to the old text is a change of the file.
        try write(Self.yaml)
        #expect(try start(config).running.model.guests[0].inbound.floor == 1_000_000_000)
    }

    @Test func anUnfinishedFileStopsNoSwitch() throws {
        try leave([Self.port])
        try write("bridges: [{name: br0, rate: 10")
        let found = try start(config)
        #expect(found.running.model.ports.count == 2 && found.file?.text == Self.yaml)
        #expect(found.flaw?.contains("is not a configuration to run") == true && told.lines.count == 1)
        try FileManager.default.removeItem(atPath: config)
        #expect(try start(config).flaw?.contains("No such file") == true)
        // Where nothing ran before with this file, there is nothing to go on with.
        #expect(throws: (any Error).self) { try start(folder("other.yaml")) }
    }

    @Test func anotherFileIsAnotherConfiguration() throws {
        try leave([Self.port])
        try write(Self.yaml, folder("other.yaml"))
        let found = try start(folder("other.yaml"))
        #expect(found.running.model.ports.map(\.name) == ["a"] && found.replaced?.ports.count == 2)
        #expect(told.lines == ["\(folder("other.yaml")) runs; what ran before, without it, differs in 1 thing"])
    }

    // MARK: Saving

    @Test func aFileIsReplacedAsAWhole() throws {
        try write(Self.yaml, folder("target.yaml"))
        try FileManager.default.createSymbolicLink(atPath: config, withDestinationPath: "target.yaml")
        chmod(folder("target.yaml"), 0o604)
        if getuid() == 0 { chown(folder("target.yaml"), 4_711, 4_712) }
        let loaded = LoadedFile(path: config, text: Self.yaml)
        #expect(throws: CancellationError.self) { try loaded.replace(with: "{}\n") { _ in throw CancellationError() } }
        #expect(try loaded.current() == Self.yaml)
        var seen: String?
        #expect(try loaded.replace(with: "{}\n") { seen = $0 } == Self.yaml)
        #expect(seen == Self.yaml)
        #expect(try loaded.current() == "{}\n")
        var info = stat()
        #expect(lstat(config, &info) == 0 && info.st_mode & S_IFMT == S_IFLNK)
        #expect(stat(config, &info) == 0 && info.st_mode & 0o7777 == 0o604 && (getuid() != 0 || (info.st_uid, info.st_gid) == (4_711, 4_712)))
        #expect(try FileManager.default.contentsOfDirectory(atPath: folder("")).sorted() == ["sluice.yaml", "target.yaml"])
        #expect { try LoadedFile(path: folder(""), text: "").replace(with: "") { _ in } } throws: { "\($0)".contains("it is not a regular file") }
        #expect { try LoadedFile(path: folder("nowhere/f"), text: "").replace(with: "") { _ in } } throws: { "\($0)".contains("No such file") }
    }

    @Test func theCommentsAtTheHeadStay() throws {
        let model = try Model.checked(yaml: Self.yaml)
        #expect(LoadedFile.document(model, after: "# one\n\n# two\n\nbridges: [] # three\n") == "# one\n\n# two\n\(model.yaml)")
        #expect(LoadedFile.document(model, after: "\nbridges: []\n") == model.yaml && LoadedFile.document(model, after: "") == model.yaml)
    }
}
