/// An interface that somebody gave another name than its port's settings have. Whose it is to be is for the operator to say: until then the port is
/// failed and carries nothing, and everything of it stays open.
enum Renaming {
    /// - Parameters:
    ///   - name: that the settings have.
    ///   - now: that it has.
    ///   - words: the key and value that would make the new name the port's.
    static func sentence(_ name: String, _ now: String, _ words: String) -> String {
        "its interface \(name) is called \(now) now; rename it back (`ip link set \(now) name \(name)`), or configure `\(words)`"
    }
}
