import Configuration
import Testing

@Suite("What help texts say of keys") struct KeyHelpTests {
    private static let objects: [(object: EditObject, section: String)] = [
        (.port, "ports"), (.bridge, "bridges"), (.group, "groups"), (.guest, "guests"), (.protocol, "protocols"), (.filter, "filters"), (.mirror, "mirrors"),
    ]

    @Test("it names each key that the command line takes, in lines that fit a terminal")
    func keys() throws {
        for object in EditObject.allCases {
            for line in (object.keys ?? "").split(separator: "\n") { #expect(line.count < 80, "\(line)") }
        }
        let schema = Value(Model.schema)
        for (object, section) in Self.objects {
            let text = try #require(object.keys)
            let told = text.split(separator: "\n").filter { $0.hasPrefix("  ") && !$0.hasPrefix("   ") }.map { String($0.dropFirst(2).prefix { $0 != " " }) }
            var keys = Set(try #require(schema["properties"]?[section]?["items"]?["properties"]).entries.keys).subtracting(["name", "static", "protocols"])
            // The help shows the words of rules instead of the key `rules`.
            if keys.remove("rules") != nil { keys.insert("allow|deny") }
            #expect(Set(told) == keys, "\(object)")
            #expect(told.count == keys.count)
        }
        #expect(EditObject.fdb.keys == nil && EditObject.core.keys == nil)
    }

    @Test("it tells kinds, ranges and defaults")
    func wording() {
        #expect(
            EditObject.bridge.keys == """
                Keys of any bridge:
                  ageing TIME             when a learned address is forgotten that was not seen
                                          again (1s to 1000000s; default 300s)
                  fdb-size 16-16777216    most addresses that it knows (default 65536)
                  rate RATE               what all traffic towards its guests may take
                                          together, and what inbound floors are guaranteed from
                  overhead 0-256          bytes added to each frame when its rate is reckoned;
                                          24 as on the wire (default 0)
                  rest [floor RATE] [ceiling RATE] [priority 0-7]
                                          what guests and groups without a floor have of the
                                          rate together
                  mcast-snooping on|off   frames for a group go to its members and to routers
                                          only (default off)
                  mcast-querier off|on|auto
                                          whether the bridge asks for members; auto: as long as
                                          nobody else does (default auto)
                  mcast-querier-address ADDRESS
                                          what it asks from; by default 0.0.0.0, which takes no
                                          part in elections
                  mcast-max-groups 1-32768
                                          most groups, over all VLANs (default 4096)
                RATE: 8kbit to 400gbit, such as 500mbit.
                TIME: such as 5ms or 300s.
                """)
    }

    @Test("README tells defaults of rules of a port as they are")
    func readme() throws {
        let text = try SchemaTests.readme()
        let section = try #require(text.split(separator: "## ").first { $0.hasPrefix("Rules of a port") })
        let properties = try #require(Value(Model.schema)["properties"]?["ports"]?["items"]?["properties"])
        let table = section.split(separator: "\n", omittingEmptySubsequences: false).drop { !$0.hasPrefix("| Key | Default") }.prefix { $0.hasPrefix("|") }
        let rows = table.filter { $0.hasPrefix("| `") }
        #expect(rows.count >= 9)
        for row in rows {
            let cells = row.split(separator: "|").map { $0.split(separator: "`").enumerated().filter { $0.offset % 2 == 1 }.map { String($0.element) } }
            for key in cells[0] {
                let property = try #require(properties[key], "\(key)")
                let standard: [String]
                switch property["default"] {
                case .flag(let flag)?: standard = [flag ? "on" : "off"]
                case .text(let word)?: standard = [word]
                case .number(let number)?: standard = ["\(number)"]
                default: standard = []
                }
                #expect(cells[1] == standard, "\(key)")
            }
        }
    }
}
