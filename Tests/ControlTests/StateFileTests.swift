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
        (#"{"version":2,"ids":{"trees":{}},"yaml":""}"#, "is of format 2, written by a later sluiced"),
        (#"{"version":1,"ids":{"trees":{"br0":{"a":2,"b":2}}},"yaml":""}"#, "tree br0 gives one id to two classes, or an id below 2"),
        (#"{"version":1,"ids":{"trees":{"br0":{"a":1}}},"yaml":""}"#, "tree br0 gives one id to two classes, or an id below 2"),
        (#"{"version":1,"ids":{"trees":{"br0":{"a":70000}}},"yaml":""}"#, "damaged"),
    ])
    func damagedFilesAreRefused(_ text: String, _ part: String) throws {
        let folder = TemporaryFolder()
        try Data(text.utf8).write(to: URL(fileURLWithPath: folder("state.json")))
        #expect { try StateFile(path: folder("state.json")).load() } throws: { "\($0)".contains(part) && "\($0)".contains("move it away") }
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
            "\($0)".hasPrefix("the state cannot be saved in \(folder("file/state.json")): ")
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
