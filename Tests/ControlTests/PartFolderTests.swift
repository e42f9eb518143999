import Configuration
import ControlPlane
import Foundation
import Testing

/// The files in which parts are kept.
@Suite struct PartFolderTests {
    private let folder = TemporaryFolder()
    private var parts: PartFolder { PartFolder(path: folder("conf.d")) }

    private func part(_ name: String) throws -> Part { try Part(name, yaml: "guests: [{name: \(name), port: \(name)}]\n") }

    @Test func whatIsWrittenIsRead() throws {
        #expect(parts.load().parts.isEmpty && parts.load().isComplete)
        for name in ["b", "a"] { try parts.stage(try part(name)).commit() }
        // A file that was never given its real name is not a part, and is removed.
        _ = try parts.stage(try part("c"))
        let found = parts.load()
        #expect(try found.parts == [part("a"), part("b")] && found.flaws.isEmpty && found.isComplete)
        #expect(try FileManager.default.contentsOfDirectory(atPath: folder("conf.d")).sorted() == ["a.yaml", "b.yaml"])
        try parts.remove("a")
        try parts.remove("a")
        #expect(try parts.load().parts == [part("b")])
    }

    @Test func aChangeIsTakenBack() throws {
        try parts.stage(try part("a")).commit()
        let before = parts.text("a")
        try parts.stage(try Part("a", yaml: "guests: [{name: other, port: a}]\n")).commit()
        parts.restore("a", before)
        #expect(try parts.load().parts == [part("a")])
        parts.restore("a", nil)
        #expect(parts.load().parts.isEmpty)
    }

    @Test func whatIsNoPartIsToldAndKeepsNoOtherFromBeingRead() throws {
        try parts.stage(try part("good")).commit()
        try "bridges: [{name: br0}]".write(toFile: folder("conf.d/bad.yaml"), atomically: false, encoding: .utf8)
        try Data([0xff, 0xfe]).write(to: URL(fileURLWithPath: folder("conf.d/bytes.yaml")))
        try FileManager.default.createDirectory(atPath: folder("conf.d/folder.yaml"), withIntermediateDirectories: false)
        try "guests: []".write(toFile: folder("conf.d/good.yaml~"), atomically: false, encoding: .utf8)
        let found = parts.load()
        #expect(found.parts.map(\.name) == ["good"] && found.flaws.map(\.name) == ["bad", "bytes", "folder"] && found.isComplete)
        #expect(found.flaws.allSatisfy { $0.sentence.hasPrefix(folder("conf.d/\($0.name).yaml")) }, "\(found.flaws)")
    }

    @Test func aFolderThatIsNoneIsTold() throws {
        try "".write(toFile: folder("conf.d"), atomically: false, encoding: .utf8)
        let found = parts.load()
        #expect(!found.isComplete && found.flaws.count == 1)
        #expect(throws: StateFileError.self) { try parts.stage(try part("a")) }
    }

    @Test func itStandsBesideTheConfigurationOrElseTheState() {
        #expect(PartFolder.standard(configFile: "/etc/sluice/sluice.yaml", stateFile: "/var/lib/sluice/state.json") == "/etc/sluice/conf.d")
        #expect(PartFolder.standard(configFile: nil, stateFile: "/var/lib/sluice/state.json") == "/var/lib/sluice/conf.d")
        #expect(PartFolder.standard(configFile: nil, stateFile: nil) == nil)
    }
}
