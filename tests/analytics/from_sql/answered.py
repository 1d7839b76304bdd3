"""SQL texts that are answered, by what they show; DuckDB answers them on the pooled rows."""

ANSWERED = {
    "aggregates": """
        SELECT COUNT(*) AS n, COUNT(x) AS c, SUM(x) AS s, AVG(x) AS a, MIN(x) AS low, MAX(x) AS high, SUM(n) AS total,
               STDDEV(x), STDDEV_SAMP(n) AS d1, STDDEV_POP(x) AS d0, VARIANCE(n), VAR_SAMP(x) AS v1, VAR_POP(n) AS v0,
               MIN(n), COUNT(ward), COUNT_IF(n > 3), SUM(CAST(ill AS INT)) AS ills, MAX(ill) AS any_ill, MIN(DISTINCT n)
        FROM visits""",
    "of nothing": "SELECT COUNT(*), COUNT(x), SUM(x), AVG(x), MIN(x), MAX(n), SUM(n), STDDEV(x), BOOL_OR(ill) "
    "FROM visits WHERE n > 1099511627776",
    "three values": "SELECT COUNT(*), SUM(n) FROM visits WHERE NOT (x > 0.5 AND ward = 'a')",
    "neither": "SELECT COUNT(*) FROM visits WHERE (x > 0.5) IS NULL OR NOT (x > 0.5 OR ill)",
    "in": "SELECT COUNT(*), AVG(n) FROM visits WHERE ward IN ('a', 'c')",
    "not in": "SELECT COUNT(*), AVG(n) FROM visits WHERE ward NOT IN ('a', 'c')",
    "not in with null": "SELECT COUNT(*) FROM visits WHERE ward NOT IN ('a', NULL) OR n IN (1, n + 1, NULL)",
    "between": "SELECT COUNT(*) FROM visits WHERE x BETWEEN -5 AND n AND n NOT BETWEEN 3 AND 4",
    "is": "SELECT COUNT(*) FROM visits WHERE x IS NOT NULL AND ill IS NOT TRUE AND (x > 1) IS NOT FALSE "
    "AND ward IS NOT NULL",
    "distinct from": "SELECT COUNT(*) FROM visits WHERE ward IS DISTINCT FROM 'a' AND x IS NOT DISTINCT FROM NULL",
    "like": "SELECT COUNT(*) FROM visits WHERE ward NOT LIKE 'a' AND NOT ward LIKE 'b'",
    "case": "SELECT SUM(CASE WHEN x > 0 THEN n WHEN ill THEN 1 ELSE -n END), COUNT(CASE WHEN x > 0 THEN 1 END), "
    "SUM(CASE ward WHEN 'a' THEN 1 WHEN 'b' THEN 2 END), SUM(IF(ill, 1, 0)) FROM visits",
    "coalesce": "SELECT SUM(COALESCE(x, n, 0)), COUNT(NULLIF(ward, 'a')), AVG(IFNULL(x, -1.5)) FROM visits",
    "patterns": "SELECT COUNT(*) FILTER (WHERE ward LIKE 'a%'), COUNT(*) FILTER (WHERE ward NOT LIKE '%a'), "
    "COUNT(*) FILTER (WHERE ward LIKE '%b%'), COUNT(*) FILTER (WHERE ward LIKE 'a%a'), "
    "COUNT(*) FILTER (WHERE ward ILIKE 'A'), COUNT(*) FILTER (WHERE ward LIKE '%') FROM visits",
    "text": "SELECT SUM(LENGTH(ward)), COUNT(*) FILTER (WHERE UPPER(ward) = 'A' OR LOWER(ward) = 'c'), "
    "COUNT(*) FILTER (WHERE STARTS_WITH(ward, 'b') OR ENDS_WITH(ward, 'x') OR CONTAINS(ward, 'c')) FROM visits",
    "rounding": "SELECT SUM(ROUND(x, 2)), SUM(ROUND(x)), SUM(FLOOR(x)), MAX(CEIL(-x)), SUM(ROUND(n + 0.5)), "
    "ROUND(AVG(x), 3) AS r, ROUND(COUNT(*)), SUM(ROUND(n)) FROM visits",
    "division": "SELECT SUM(n % 7), SUM(n // 3), SUM(n // -3), SUM(x % 2), MAX(n % (small + 1)) FROM visits",
    "powers": "SELECT SUM(POW(n, 2)), SUM(small ^ 0.5), SQRT(COUNT(*)), SUM(SQRT(small)) FROM visits",
    "of the row": "SELECT SUM(GREATEST(n, small)), AVG(LEAST(x, n, 3)) FROM visits",
    "quantiles": "SELECT MEDIAN(x), QUANTILE_CONT(n, 0.25), PERCENTILE_CONT(0.9) WITHIN GROUP (ORDER BY x), "
    "MEDIAN(n) FILTER (WHERE ill) FROM visits",
    "quantiles of groups": "SELECT ill, MEDIAN(x) AS m, COUNT(*) FROM visits GROUP BY ill ORDER BY m",
    "different values": "SELECT COUNT(DISTINCT n), COUNT(DISTINCT ward) AS w, COUNT(DISTINCT x) FILTER (WHERE ill), "
    "COUNT(DISTINCT n % 3 = 0) FROM visits",
    "different values of groups": "SELECT ill, COUNT(DISTINCT x) AS c, COUNT(DISTINCT ward) FILTER (WHERE n > 0), "
    "COUNT(*) FROM visits GROUP BY ill HAVING COUNT(DISTINCT n) > 1",
    "arithmetic": "SELECT SUM(2 * x - n / 4 + 1), MAX(ABS(-n)), AVG(CAST(n AS DOUBLE) / 3), SUM(-x) FROM visits",
    "around": "SELECT SUM(x) / COUNT(*) AS r, COALESCE(SUM(x), 0) AS s, -MAX(n) + 1 AS m, "
    "CASE WHEN COUNT(*) > 5 THEN 'many' ELSE 'few' END AS size, AVG(x) IS NULL AS none, "
    "COUNT(x) BETWEEN 1 AND 3 AS some FROM visits",
    "filter": "SELECT COUNT(*) FILTER (WHERE x > 0) AS c, SUM(n) FILTER (WHERE ward = 'a' OR ill) AS s, "
    "AVG(x) FILTER (WHERE n > 0) AS a, SUM(n) AS whole FROM visits WHERE n <> 3",
    "groups": "SELECT ward, COUNT(*) AS n, AVG(x) AS mean, SUM(n) AS total FROM visits GROUP BY ward",
    "groups of booleans": "SELECT ill, COUNT(x), MAX(n) FROM visits GROUP BY ill",
    "groups of conditions": "SELECT x > 0 AS positive, COUNT(*) FROM visits GROUP BY x > 0",
    "groups of cases": "SELECT CASE WHEN n >= 65 THEN 'old' WHEN n >= 0 THEN 'young' END AS age, COUNT(*), SUM(x) "
    "FROM visits GROUP BY age",
    "groups that WHERE lists": "SELECT ward, SUM(x) FROM visits WHERE ward IN ('a', 'b') AND n > -5 GROUP BY 1",
    "groups that WHERE bounds": "SELECT small, COUNT(*) FROM visits WHERE small BETWEEN 1 AND 5 AND small < 4 "
    "GROUP BY small",
    "two keys": "SELECT ward, ill, COUNT(*), STDDEV(n) FROM visits GROUP BY ward, ill",
    "group by all": "SELECT ill, ward, MIN(x) FROM visits GROUP BY ALL",
    "keys alone": "SELECT ill FROM visits GROUP BY ill",
    "having": "SELECT ward, COUNT(*) AS c FROM visits GROUP BY ward HAVING COUNT(*) > 1 AND c < 9",
    "having of one": "SELECT SUM(n) AS s FROM visits HAVING COUNT(*) > 3",
    "filters of groups": "SELECT ward, COUNT(*) FILTER (WHERE x > 0), AVG(x) FILTER (WHERE ill) FROM visits "
    "GROUP BY ward",
    "subquery": "SELECT AVG(twice), COUNT(*) FROM (SELECT n * 2 AS twice, ward FROM visits WHERE n > 0) AS v "
    "WHERE v.ward = 'a'",
    "with": "WITH ill_ones AS (SELECT * FROM visits WHERE ill), more AS (SELECT x + n AS z, ward FROM ill_ones AS i) "
    "SELECT ward, SUM(z) AS s FROM more AS m GROUP BY m.ward",
    "results of results": "SELECT w, mean * 2 AS twice FROM (SELECT ward AS w, AVG(n) AS mean, COUNT(*) AS c "
    "FROM visits GROUP BY ward) AS t WHERE c > 1",
    "letters": 'SELECT V."N", Sum(v.X) AS Total FROM (SELECT ill AS n, x FROM Visits) V GROUP BY v.n',
    "dollar": "SELECT COUNT(*) AS \"how many\", MAX(n) AS \"Max(n)\" FROM visits WHERE ward = 'it''s' OR ward = 'a'",
}
ORDERED = {
    "by value": "SELECT ward, SUM(n) AS s FROM visits GROUP BY ward ORDER BY s DESC, ward LIMIT 2",
    "nulls last": "SELECT ward, SUM(n) FROM visits GROUP BY ward ORDER BY ward DESC",
    "nulls first": "SELECT ward, SUM(n) FROM visits GROUP BY ward ORDER BY ward NULLS FIRST LIMIT 3 OFFSET 1",
    "by what is not shown": "SELECT ward FROM visits GROUP BY ward ORDER BY COUNT(*) + 1, ward",
}
