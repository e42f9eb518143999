import Configuration
import ControlPlane
import Foundation
import Testing

@Suite struct StateFileTests {
    private func ids() throws -> ClassIDs {
        var ids = ClassIDs()
        let model = try Model(yaml: "bridges: [{name: br0}]\nports: [{name: a, type: tap, bridge: br0, interface: a}]\n")
        _ = trees(of: model, ids: &ids)
        return ids
    }

    @Test func whatIsSavedIsLoaded() throws {
        let folder = TemporaryFolder()
        let file = StateFile(path: folder("deep/er/state.json"))
        #expect(try file.load() == nil)
        try file.save(ids: try ids(), yaml: "bridges: []\n")
        #expect(try file.load() == StateFile.Contents(ids: ids(), yaml: "bridges: []\n"))
        try file.save(ids: ClassIDs(), yaml: "\u{1F600}")
        #expect(try file.load() == StateFile.Contents(ids: ClassIDs(), yaml: "\u{1F600}"))
        #expect(try FileManager.default.contentsOfDirectory(atPath: folder("deep/er")) == ["state.json"])
    }

    @Test(arguments: [
        ("", "damaged"), ("{", "damaged"), ("[]", "damaged"), ("{\"version\":1,\"yaml\":\"\"}", "damaged ('ids' is missing)"),
        (#"{"version":3,"ids":{"trees":{}},"yaml":""}"#, "is of format 3, written by a later sluiced"),
        (#"{"version":2,"ids":{"trees":{}},"yaml":""}"#, "damaged (its checksum is missing)"),
        (#"{"version":1,"ids":{"trees":{}},"yaml":"","x":1}"#, "damaged (format 1 has three keys)"),
        (#"{"checksum":"0000000000000000","ids":{"trees":{}},"version":2,"yaml":""}"#, "damaged (its checksum is 0000000000000000, and what it holds has "),
        (String(repeating: "[", count: 513), "damaged (this is not JSON: lists and objects are more than 64 deep at byte 65)"),
        (#"{"version":1,"ids":{"trees":{"br0":{"a":2,"b":2}}},"yaml":""}"#, "tree br0 gives one id to two classes, or an id below 2"),
        (#"{"version":1,"ids":{"trees":{"br0":{"a":1}}},"yaml":""}"#, "tree br0 gives one id to two classes, or an id below 2"),
        (#"{"version":1,"ids":{"trees":{"br0":{"a":70000}}},"yaml":""}"#, "damaged"),
    ])
    func damagedFilesAreRefused(_ text: String, _ part: String) throws {
        let folder = TemporaryFolder()
        try Data(text.utf8).write(to: URL(fileURLWithPath: folder("state.json")))
        #expect { try StateFile(path: folder("state.json")).load() } throws: { "\($0)".contains(part) && "\($0)".contains("move it away") }
    }

    @Test func filesWithoutAChecksumAreStillRead() throws {
        let folder = TemporaryFolder()
        try Data(#"{"ids":{"trees":{"br0":{"a":7}}},"version":1,"yaml":"bridges: []\n"}"#.utf8).write(to: URL(fileURLWithPath: folder("state.json")))
        let file = StateFile(path: folder("state.json"))
        let contents = try #require(try file.load())
        #expect(contents.ids.id(tree: "br0", path: "a") == 7)
        #expect(contents.yaml == "bridges: []\n")
        try file.save(ids: contents.ids, yaml: contents.yaml)
        #expect(try file.load() == contents)
    }

    @Test func noFlippedBitGoesUnnoticed() throws {
        let folder = TemporaryFolder()
        let file = StateFile(path: folder("state.json"))
        try file.save(ids: try ids(), yaml: "bridges: [{name: br0, rate: 1gbit}]\n")
        let good = try Data(contentsOf: URL(fileURLWithPath: file.path))
        for bit in 0..<(good.count * 8) {
            var bad = good
            bad[bit / 8] ^= 1 << UInt8(bit % 8)
            try bad.write(to: URL(fileURLWithPath: file.path))
            #expect(throws: StateFileError.self, "bit \(bit % 8) of byte \(bit / 8)") { try file.load() }
        }
        for count in 0..<good.count {
            try good.prefix(count).write(to: URL(fileURLWithPath: file.path))
            #expect(throws: StateFileError.self, "\(count) bytes") { try file.load() }
        }
    }

    /// The checksums are those that `xz --robot -lvv` prints for these bytes, and that the catalogue of parametrised CRC algorithms gives.
    @Test func theChecksumIsTheUsualOne() {
        #expect(Checksum("123456789".utf8).text == "995dc9bbdf1939fa")
        #expect(Checksum([]).text == "0000000000000000")
    }

    @Test func whatKilledDaemonsLeftIsRemoved() throws {
        let folder = TemporaryFolder()
        for name in ["state.json.4711.new", "state.json.1.new", "state.json.x.new", "other.json.1.new", "state.json.5.newer"] {
            try Data().write(to: URL(fileURLWithPath: folder(name)))
        }
        let lock = try StateFile(path: folder("state.json")).lock()
        lock.release()
        #expect(try FileManager.default.contentsOfDirectory(atPath: folder.path).sorted() == ["other.json.1.new", "state.json.5.newer", "state.json.x.new"])
    }

    @Test func aPipeIsNoStateFile() throws {
        let folder = TemporaryFolder()
        #expect(mkfifo(folder("state.json"), 0o600) == 0)
        #expect { try StateFile(path: folder("state.json")).load() } throws: { "\($0)".contains("is not a file: move it away") }
    }

    @Test func aFileHasOneDaemon() throws {
        let folder = TemporaryFolder()
        let file = StateFile(path: folder("deep/state.json"))
        let lock = try file.lock()
        #expect { try file.lock() } throws: {
            "\($0)" == "another sluiced (pid \(getpid())) keeps its state in \(file.path): stop it, or give this one a file of its own with --state"
        }
        try file.save(ids: ClassIDs(), yaml: "")
        #expect(throws: StateFileError.self) { try file.lock() }
        _ = try StateFile(path: folder("deep/other.json")).lock()
        lock.release()
        try file.lock().release()
        #expect(try FileManager.default.contentsOfDirectory(atPath: folder("deep")) == ["state.json"])
    }

    @Test func aFolderThatCannotBeWritten() throws {
        let folder = TemporaryFolder()
        try Data().write(to: URL(fileURLWithPath: folder("file")))
        #expect { try StateFile(path: folder("file/state.json")).save(ids: ClassIDs(), yaml: "") } throws: {
            "\($0)" == "the state cannot be saved in \(folder("file/state.json")) (Not a directory)"
        }
    }

    @Test func idsSurviveARestart() throws {
        let folder = TemporaryFolder()
        let file = StateFile(path: folder("state.json"))
        func model(_ names: [String]) throws -> Model {
            try Model(
                yaml: "bridges: [{name: br0}]\nports:\n"
                    + names.map { "  - {name: \($0), type: tap, bridge: br0, interface: \($0)}\n" }.joined())
        }
        var ids = ClassIDs()
        _ = trees(of: try model(["a", "b", "c"]), ids: &ids)
        _ = trees(of: try model(["a", "c"]), ids: &ids)
        try file.save(ids: ids, yaml: model(["a", "c"]).yaml)
        var later = try #require(try file.load())
        let again = trees(of: try Model.checked(yaml: later.yaml), ids: &later.ids)
        #expect(again[0].classes.map(\.id) == [2, 4])
    }
}
