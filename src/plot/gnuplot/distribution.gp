set multiplot
eval length_axis
set xlabel "time"

set rmargin at screen 0.46
set yrange [0:1]
set label 70 "share that took at most so long" at screen 0.022, graph 0.5 rotate center tc rgb ink
set format y "%.1f"
plot data index "response" using 1:2 with steps lw 2.5 lc rgb blue, \
     data index "service" using 1:2 with steps lw 2.5 lc rgb orange

unset label 1
unset label 2
set lmargin at screen 0.57
set rmargin at screen 0.955
eval share_axis
set label 70 "share that took longer" at screen 0.495, graph 0.5 rotate center tc rgb ink
set object 1 rectangle from graph 0, graph 0 to graph 1, first unsupported \
    behind fillcolor rgb faint fillstyle solid noborder
set label 90 "fewer than 10 samples" at graph 0.02, first unsupported offset 0, -0.7 \
    tc rgb grey font ",11"
set key at screen 0.515, screen 0.02 center bottom horizontal samplen 1.5 textcolor rgb ink
plot data index "response" using 1:($3 > 0 ? $3 : NaN) with steps lw 2.5 lc rgb blue \
         title "response", \
     data index "service" using 1:($3 > 0 ? $3 : NaN) with steps lw 2.5 lc rgb orange \
         title "service"
unset multiplot
