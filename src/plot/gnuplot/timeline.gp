set multiplot
set bmargin at screen 0.64
eval time_axis_without_labels
eval rate_axis
set label 70 "per second" at screen 0.022, graph 0.5 rotate center tc rgb ink
set key at screen 0.88, screen 0.85 left top vertical Left reverse samplen 1 textcolor rgb ink
plot data index "steps" using 1:3 with steps lw 5 lc rgb "#CCCCCC" title "planned", \
     data index "steps" using 1:4 with steps lw 1.5 lc rgb orange title "sent", \
     data index "steps" using 1:5 with steps lw 1.5 lc rgb blue title "ok", \
     data index "steps" using 1:(any_failed ? $6 : NaN) with steps lw 1.5 lc rgb red \
         title any_failed ? "failed" : ""

unset label
set key noautotitle
set tmargin at screen 0.60
set bmargin at screen 0.39
eval level_axis
set label 70 "requests" at screen 0.022, graph 0.5 rotate center tc rgb ink
set label 80 "in system" at graph 1.01, graph level_1 tc rgb orange
set label 81 "in flight" at graph 1.01, graph level_2 tc rgb blue
plot data index "steps" using 1:7 with steps lw 1.5 lc rgb orange, \
     data index "steps" using 1:8 with steps lw 1.5 lc rgb blue

set tmargin at screen 0.35
set bmargin at screen 0.12
eval time_axis
eval length_axis
set xlabel "time (" . time_unit . " since the start of measure)"
set label 70 "response" at screen 0.022, graph 0.5 rotate center tc rgb ink
set label 80 "p50" at graph 1.01, graph length_1 tc rgb blue
set label 81 "p99" at graph 1.01, graph length_2 tc rgb orange
plot data index "steps" using 1:10 with steps lw 1.5 lc rgb orange, \
     data index "steps" using 1:9 with steps lw 1.5 lc rgb blue
unset multiplot
